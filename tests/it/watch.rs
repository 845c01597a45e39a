//! Watches: what a caller hears, from wherever it last was, and when a watch ends.

mod records;

use futures::future::join_all;
use stellwerk::proto::{
    AppointmentStatus, DeletePatientRequest, RescheduleAppointmentRequest, RevokeApiKeyRequest, Role,
    WatchAppointmentsRequest, WatchAppointmentsResponse, watch_appointments_response::Event,
};
use tokio::time::timeout;
use tonic::{Code, Status, Streaming};
use uuid::Uuid;

use crate::support::{
    PATIENCE,
    app::TestApp,
    caller::TestCaller,
    database::Session,
    desk::{self, book, cancel, in_days, slot, timestamp},
    reason,
    tenant::TestTenant,
    wait_until,
};

/// Somebody who watches appointments, and where he is.
struct Watcher {
    stream: Streaming<WatchAppointmentsResponse>,
    token: String,
}

impl Watcher {
    async fn begin(by: &TestCaller, request: WatchAppointmentsRequest) -> Self {
        Self::try_begin(by, request).await.expect("a watch")
    }

    async fn try_begin(by: &TestCaller, request: WatchAppointmentsRequest) -> Result<Self, Status> {
        let token = request.resume_token.clone();
        let stream = by.appointments().watch_appointments(request).await?.into_inner();
        Ok(Self { stream, token })
    }

    /// A watch of everything from now on.
    async fn from_now(by: &TestCaller) -> Self {
        Self::of(by, WatchAppointmentsRequest::default()).await
    }

    /// A watch of some from now on.
    async fn of(by: &TestCaller, request: WatchAppointmentsRequest) -> Self {
        let mut watcher = Self::begin(by, request).await;
        assert!(matches!(watcher.next().await, Event::SnapshotEnd(_)));
        watcher
    }

    /// Goes on where another one was.
    async fn resume(by: &TestCaller, token: &str) -> Self {
        Self::begin(by, WatchAppointmentsRequest { resume_token: token.into(), ..Default::default() }).await
    }

    /// The next message that is no heartbeat.
    async fn next(&mut self) -> Event {
        loop {
            let message = self.message().await.expect("no error").expect("no end");
            if let Some(event) = message.event {
                return event;
            }
        }
    }

    async fn message(&mut self) -> Result<Option<WatchAppointmentsResponse>, Status> {
        let message = timeout(PATIENCE, self.stream.message()).await.expect("a message in time")?;
        if let Some(message) = &message {
            self.token.clone_from(&message.resume_token);
        }
        Ok(message)
    }

    /// The id of the next change.
    async fn change(&mut self) -> String {
        match self.next().await {
            Event::Change(changed) => changed.change.expect("a change").appointment_change_id,
            other => panic!("{other:?}"),
        }
    }

    /// The ids of the next changes up to this one.
    async fn changes_until(&mut self, last: &str) -> Vec<String> {
        let mut heard = vec![self.change().await];
        while heard.last().is_some_and(|change| change != last) {
            heard.push(self.change().await);
        }
        heard
    }

    /// What the next change says of the appointment.
    async fn changed(&mut self) -> (String, AppointmentStatus) {
        match self.next().await {
            Event::Change(changed) => {
                let appointment = changed.appointment.expect("an appointment");
                (appointment.appointment_id.clone(), appointment.status())
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_watcher_whose_connection_breaks_again_and_again_hears_every_change_once() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let patient = acme.create_patient("Erika", "Muster").await;
    let mut watcher = Watcher::from_now(&acme.admin).await;

    let busy = join_all((0..4).map(async |_| {
        let practitioner = acme.put_practitioner("Dr. Muster").await;
        for days in 2..7 {
            let booked = book(&acme.admin, slot(&patient, &practitioner, in_days(days))).await.unwrap();
            cancel(&acme.admin, &booked.appointment_id).await;
        }
    }));
    let watching = async {
        let mut heard = Vec::new();
        while heard.len() < 40 {
            heard.push(watcher.change().await);
            if heard.len() % 3 == 0 {
                watcher = Watcher::resume(&acme.admin, &watcher.token).await;
            }
        }
        heard
    };
    let (_, mut heard) = tokio::join!(busy, watching);

    heard.sort();
    let made = app.database.owner().await.lines("SELECT id FROM appointment_change ORDER BY id").await;
    assert_eq!(heard, made);
}

#[tokio::test]
async fn a_change_whose_transaction_commits_late_is_not_skipped() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (patient, practitioner) =
        (acme.create_patient("Erika", "Muster").await, acme.put_practitioner("Dr. Muster").await);
    let booked = book(&acme.admin, slot(&patient, &practitioner, in_days(2))).await.unwrap();
    let mut live = Watcher::from_now(&acme.admin).await;
    // An older transaction, which is still under way when a younger one has committed.
    let slow = app.database.owner().await;
    slow.run("BEGIN").await;
    let late = change_by_hand(&slow, &acme, &booked.appointment_id).await;

    let younger = book(&acme.admin, slot(&patient, &practitioner, in_days(3))).await.unwrap();
    let young = desk::history(&acme.admin, &younger.appointment_id).await.remove(0).appointment_change_id;
    let token = Watcher::from_now(&acme.admin).await.token;
    slow.run("COMMIT").await;
    let mut resumed = Watcher::resume(&acme.admin, &token).await;

    for watcher in [&mut live, &mut resumed] {
        // Another test's transaction may have been under way when the watch began, and then it begins before
        // the first booking.
        let mut heard = watcher.changes_until(&young).await;
        heard.retain(|change| *change == late || *change == young);
        assert_eq!(heard, [late.clone(), young.clone()]);
    }
}

#[tokio::test]
async fn a_watch_begins_with_the_appointments_as_they_stand_and_goes_on_in_their_midst() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (patient, practitioner) =
        (acme.create_patient("Erika", "Muster").await, acme.put_practitioner("Dr. Muster").await);
    let mut booked = Vec::new();
    for days in [2, 4, 3] {
        let made = book(&acme.admin, slot(&patient, &practitioner, in_days(days))).await.unwrap();
        booked.push(made.appointment_id);
    }
    let [second, fourth, third] = booked.try_into().unwrap();
    let request = WatchAppointmentsRequest {
        snapshot_start_time_from: Some(timestamp(in_days(3))),
        ..Default::default()
    };
    let snapshot = |event| match event {
        Event::Snapshot(appointment) => appointment.appointment_id,
        other => panic!("{other:?}"),
    };

    let mut broken = Watcher::begin(&acme.admin, request.clone()).await;
    let first = snapshot(broken.next().await);
    cancel(&acme.admin, &second).await;
    let resume_token = broken.token.clone();
    let mut watcher = Watcher::begin(&acme.admin, WatchAppointmentsRequest { resume_token, ..request }).await;
    let rest = snapshot(watcher.next().await);
    let marker = watcher.next().await;
    let changed = watcher.changed().await;

    assert_eq!((first, rest), (third, fourth));
    assert!(matches!(marker, Event::SnapshotEnd(_)), "{marker:?}");
    assert_eq!(changed, (second, AppointmentStatus::Cancelled));
}

#[tokio::test]
async fn nobody_hears_of_another_tenants_appointments() {
    let app = TestApp::start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let mut theirs = Watcher::from_now(&acme.admin).await;
    let mut watcher = Watcher::from_now(&globex.admin).await;

    let foreign = book_anything(&acme).await;
    let own = book_anything(&globex).await;
    let heard = watcher.changed().await.0;
    let heard_there = theirs.changed().await.0;
    let request = WatchAppointmentsRequest { resume_token: theirs.token.clone(), ..Default::default() };
    let refused = Watcher::try_begin(&globex.admin, request).await.err().unwrap();

    assert_eq!((heard, heard_there), (own, foreign));
    assert_eq!((refused.code(), reason(&refused)), (Code::InvalidArgument, "RESUME_TOKEN_INVALID".into()));
}

#[tokio::test]
async fn a_token_belongs_to_the_filters_it_was_given_for() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let practitioner_id = acme.put_practitioner("Dr. Muster").await;
    let resume_token = Watcher::from_now(&acme.admin).await.token;

    let request = WatchAppointmentsRequest { resume_token, practitioner_id, ..Default::default() };
    let refused = Watcher::try_begin(&acme.admin, request).await.err().unwrap();

    assert_eq!(reason(&refused), "RESUME_TOKEN_INVALID");
}

#[tokio::test]
async fn a_practitioner_hears_of_his_own_appointments_and_that_one_left() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (muster, beispiel) = (acme.practitioner().await, acme.put_practitioner("Dr. Beispiel").await);
    let patient = acme.create_patient("Erika", "Muster").await;
    let mut own = Watcher::from_now(&muster).await;
    let filter = WatchAppointmentsRequest { practitioner_id: muster.id.clone(), ..Default::default() };
    let mut of_muster = Watcher::of(&acme.admin, filter).await;

    let given = book(&acme.admin, slot(&patient, &muster.id, in_days(2))).await.unwrap().appointment_id;
    assert_eq!(own.changed().await, (given.clone(), AppointmentStatus::Booked));
    assert_eq!(of_muster.changed().await, (given.clone(), AppointmentStatus::Booked));
    book(&acme.admin, slot(&patient, &beispiel, in_days(3))).await.unwrap();
    give_to(&acme.admin, &given, &beispiel).await;
    let kept = book(&acme.admin, slot(&patient, &muster.id, in_days(4))).await.unwrap().appointment_id;

    for watcher in [&mut own, &mut of_muster] {
        let left = watcher.next().await;
        assert!(matches!(&left, Event::Leave(leave) if leave.appointment_id == given), "{left:?}");
        assert_eq!(watcher.changed().await, (kept.clone(), AppointmentStatus::Booked));
    }
}

#[tokio::test]
async fn a_removed_appointment_leaves_whoever_could_see_it_and_nobody_else() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (muster, beispiel) = (acme.practitioner().await, acme.practitioner().await);
    let (erika, max) =
        (acme.create_patient("Erika", "Muster").await, acme.create_patient("Max", "Muster").await);
    let mut first = Watcher::from_now(&acme.admin).await;
    let gone = book(&acme.admin, slot(&erika, &muster.id, in_days(2))).await.unwrap().appointment_id;
    // While an older transaction is under way, whoever begins to watch is told of it, too.
    assert_eq!(first.changed().await.0, gone);
    let of = |patient_id: &str, practitioner_id: &str| WatchAppointmentsRequest {
        patient_id: patient_id.into(),
        practitioner_id: practitioner_id.into(),
        ..Default::default()
    };
    let mut concerned = vec![
        Watcher::from_now(&acme.admin).await,
        Watcher::from_now(&muster).await,
        Watcher::of(&acme.admin, of("", &muster.id)).await,
    ];
    let mut others = vec![
        Watcher::from_now(&beispiel).await,
        Watcher::of(&acme.admin, of(&max, "")).await,
        Watcher::of(&acme.admin, of("", &beispiel.id)).await,
    ];
    let broken = Watcher::from_now(&acme.admin).await;
    let mut of_erika = Watcher::of(&acme.admin, of(&erika, "")).await;

    let request = DeletePatientRequest { patient_id: erika.clone(), ..Default::default() };
    acme.admin.patients().delete_patient(request).await.unwrap();
    let next = book(&acme.admin, slot(&max, &beispiel.id, in_days(2))).await.unwrap().appointment_id;
    concerned.push(Watcher::resume(&acme.admin, &broken.token).await);

    for watcher in concerned.iter_mut().chain([&mut of_erika]) {
        let left = watcher.next().await;
        assert!(matches!(&left, Event::Leave(leave) if leave.appointment_id == gone), "{left:?}");
    }
    for watcher in &mut others {
        assert_eq!(watcher.changed().await.0, next);
    }
}

#[tokio::test]
async fn a_stopping_server_ends_a_watch_in_order_and_another_goes_on() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let instance = app.second_instance(&[]).await;
    let key = acme.key(Role::Admin, &[]).await;
    let there = TestCaller::new(instance.channel(), Some(&key.secret));
    let mut watcher = Watcher::from_now(&there).await;
    let before = book_anything(&acme).await;
    assert_eq!(watcher.changed().await.0, before);

    let (end, ()) = tokio::join!(watcher.message(), instance.stop());
    let after = book_anything(&acme).await;
    let mut resumed = Watcher::resume(&acme.bearer(&key.secret), &watcher.token).await;

    assert!(end.unwrap().is_none());
    assert_eq!(resumed.changed().await.0, after);
}

#[tokio::test]
async fn an_old_watch_ends_in_order() {
    let app = TestApp::builder().setting("--max-stream-age=500ms").start().await;
    let acme = app.tenant("acme").await;

    let mut watcher = Watcher::from_now(&acme.admin).await;

    assert!(watcher.message().await.unwrap().is_none());
}

#[tokio::test]
async fn beyond_its_share_of_streams_a_tenant_gets_none() {
    let app = TestApp::builder().setting("--max-concurrent-streams=2").start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let first = Watcher::from_now(&acme.admin).await;

    let refused = Watcher::try_begin(&acme.admin, Default::default()).await.err().unwrap();
    let _other = Watcher::from_now(&globex.admin).await;
    drop(first);

    assert_eq!((refused.code(), reason(&refused)), (Code::ResourceExhausted, "LIMIT_REACHED".into()));
    wait_until("the place is free again", PATIENCE, async || {
        Watcher::try_begin(&acme.admin, Default::default()).await.is_ok()
    })
    .await;
}

/// Takes as long as a silence may last.
#[tokio::test]
async fn a_silent_watch_has_a_heartbeat_and_ends_when_its_caller_may_no_longer() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let key = acme.key(Role::Admin, &[]).await;
    let mut kept = Watcher::from_now(&acme.admin).await;
    let mut revoked = Watcher::from_now(&acme.bearer(&key.secret)).await;
    let revoke = RevokeApiKeyRequest { api_key_id: key.id, ..Default::default() };
    acme.admin.access().revoke_api_key(revoke).await.unwrap();

    let (heartbeat, refused) = tokio::join!(kept.message(), revoked.message());
    let heartbeat = heartbeat.unwrap().unwrap();
    let after = book_anything(&acme).await;
    let mut resumed = Watcher::resume(&acme.admin, &heartbeat.resume_token).await;

    assert_eq!(heartbeat.event, None);
    let refused = refused.unwrap_err();
    assert_eq!((refused.code(), reason(&refused)), (Code::Unauthenticated, "API_KEY_REVOKED".into()));
    assert_eq!(resumed.changed().await.0, after);
}

/// Returns the appointment's id.
async fn book_anything(tenant: &TestTenant) -> String {
    let patient = tenant.create_patient("Erika", "Muster").await;
    let practitioner = tenant.put_practitioner("Dr. Muster").await;
    book(&tenant.admin, slot(&patient, &practitioner, in_days(2))).await.unwrap().appointment_id
}

async fn give_to(by: &TestCaller, appointment: &str, practitioner: &str) {
    let request = RescheduleAppointmentRequest {
        appointment_id: appointment.into(),
        start_time: Some(timestamp(in_days(5))),
        practitioner_id: practitioner.into(),
        ..Default::default()
    };
    by.appointments().reschedule_appointment(request).await.unwrap();
}

/// Writes a change into the session's open transaction; returns its id.
async fn change_by_hand(session: &Session, tenant: &TestTenant, appointment: &str) -> String {
    let id = Uuid::now_v7();
    session
        .run(&format!(
            "INSERT INTO appointment_change (tenant_id, id, appointment_id, kind, origin, cause, status, \
                 start_time, end_time, practitioner_id) \
             SELECT tenant_id, '{id}', id, 'details', 'system', 'system', status, \
                 start_time, end_time, practitioner_id \
             FROM appointment WHERE tenant_id = '{}' AND id = '{appointment}'",
            tenant.id
        ))
        .await;
    id.to_string()
}

// A silence is shorter than what tests wait.
const _: () = assert!(stellwerk::domain::watch::HEARTBEAT.as_secs() * 2 <= PATIENCE.as_secs());
