//! A practice with one practitioner whose time is given away on both sides: here,
//! and by a Cal.com of its own.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Europe::Berlin;
use serde::Deserialize;
use stellwerk::{
    proto::{
        self, BookAppointmentRequest, CreateApiKeyRequest, CreateIntegrationRequest, PutServiceRequest,
        Resolution, ResolveReviewItemRequest, Role, StartSyncRequest, SyncOrigin, SyncState,
    },
    sandbox::calcom::{Calcom, EventTypeOptions, NewBooking, Operation, Recorded, Settings, User, spec},
};
use tonic::Status;

use crate::support::{
    PATIENCE, app::TestApp, calcom, caller::TestCaller, desk, tenant::TestTenant, wait_until,
};

/// Writes of the API that concern bookings.
pub(super) const WRITES: [Operation; 3] =
    [Operation::CreateBooking, Operation::RescheduleBooking, Operation::CancelBooking];

/// Whatever is waited for is due: the next try, the end of a pause, another look at whether Cal.com answers.
const HURRY: &str = "UPDATE outbox SET run_time = now() WHERE NOT is_leased AND state = 'pending'; \
    UPDATE integration_flow SET tokens = capacity, refill_time = now(), pause_until = NULL, \
        breaker_until = least(breaker_until, now()); \
    NOTIFY stellwerk_outbox";

/// Something that a person must decide.
#[derive(Debug, Deserialize)]
pub(super) struct Review {
    id: String,
    pub(super) appointment_id: Option<String>,
    pub(super) kind: String,
    pub(super) reason: String,
}

pub(super) struct Practice {
    pub(super) app: TestApp,
    pub(super) acme: TestTenant,
    pub(super) calcom: Calcom,
    pub(super) host: User,
    pub(super) practitioner_id: String,
    pub(super) integration_id: String,
    /// Half an hour, accepted at once.
    pub(super) visit: Bookable,
    /// Half an hour, to be confirmed by the host.
    pub(super) consultation: Bookable,
    pub(super) colleague: Option<Colleague>,
    /// A full hour a few days from now.
    first_slot: DateTime<Utc>,
}

/// Another practitioner, who offers the same in a Cal.com account of their own.
pub(super) struct Colleague {
    pub(super) practitioner_id: String,
    integration_id: String,
    pub(super) visit: Bookable,
    pub(super) consultation: Bookable,
}

/// What can be booked on either side.
#[derive(Debug, Clone)]
pub(super) struct Bookable {
    pub(super) event_type: i64,
    pub(super) service_id: String,
}

/// Where a practice is, before it is linked with its Cal.com.
pub(super) struct Premises {
    pub(super) practitioner_id: String,
    pub(super) visit: Bookable,
    pub(super) consultation: Bookable,
    pub(super) host: User,
}

impl Practice {
    pub(super) async fn open(settings: Settings) -> Self {
        let calcom = Calcom::start(settings).await.expect("a free port");
        let app = calcom::app().reachable().start().await;
        let acme = app.tenant("acme").await;
        let Premises { practitioner_id, visit, consultation, host } = furnish(&calcom, &acme.admin).await;
        let integration_id = connect(&calcom, &acme.admin, &host).await;
        let practice = Self {
            app,
            acme,
            calcom,
            host,
            practitioner_id,
            integration_id,
            visit,
            consultation,
            colleague: None,
            first_slot: desk::in_days(4),
        };
        practice.work_through().await;
        assert_eq!(practice.calcom.webhooks().len(), 2, "a webhook for each event type");
        practice
    }

    /// The same with a colleague.
    pub(super) async fn open_for_two(settings: Settings) -> Self {
        let practice = Self::open(settings).await;
        let (calcom, admin) = (&practice.calcom, &practice.acme.admin);
        let host = calcom.add_user("Bert Muster", "bert@example.com", Berlin);
        let practitioner_id = desk::add_practitioner(admin, &host.name, &[]).await.practitioner_id;
        let bookable = |of: &Bookable, slug: &str, title: &str, requires_confirmation| {
            let options = EventTypeOptions { requires_confirmation, ..EventTypeOptions::default() };
            let event_type = calcom.add_event_type(host.id, slug, title, 30, options).expect("a known host");
            Bookable { event_type, service_id: of.service_id.clone() }
        };
        let visit = bookable(&practice.visit, "visit", "Visit", false);
        let consultation = bookable(&practice.consultation, "consultation", "Consultation", true);
        let integration_id = connect(calcom, admin, &host).await;
        let colleague = Some(Colleague { practitioner_id, integration_id, visit, consultation });
        practice.work_through().await;
        Self { colleague, ..practice }
    }

    /// In whose calendar a booking of this event type is.
    pub(super) fn whose(&self, event_type: i64) -> &str {
        let is_theirs =
            |one: &&Colleague| [one.visit.event_type, one.consultation.event_type].contains(&event_type);
        let theirs = self.colleague.as_ref().filter(is_theirs);
        theirs.map_or(&self.practitioner_id, |one| &one.practitioner_id)
    }

    /// Waits until nothing is left to do, on either side, without waiting for pauses.
    pub(super) async fn work_through(&self) {
        let owner = self.app.database.owner().await;
        let left = "SELECT count(*) FROM outbox WHERE state = 'pending'";
        wait_until("nothing is left to do", 2 * PATIENCE, async || {
            self.calcom.quiet().await;
            owner.run(HURRY).await;
            owner.value(left).await == "0"
        })
        .await;
        self.calcom.quiet().await;
    }

    /// Begins a run of each integration and waits for its end; shows the first one's.
    pub(super) async fn sync(&self) -> proto::SyncLog {
        let log = self.sync_one(&self.integration_id).await;
        if let Some(colleague) = &self.colleague {
            self.sync_one(&colleague.integration_id).await;
        }
        log
    }

    async fn sync_one(&self, integration_id: &str) -> proto::SyncLog {
        let request = StartSyncRequest { integration_id: integration_id.into(), ..Default::default() };
        let begun = self.acme.admin.sync_logs().start_sync(request).await.expect("a run").into_inner();
        let id = begun.sync_log.expect("shown").sync_log_id;
        self.work_through().await;
        let request = proto::GetSyncLogRequest { sync_log_id: id };
        let got = self.acme.admin.sync_logs().get_sync_log(request).await.expect("the run").into_inner();
        let log = got.sync_log.expect("shown");
        assert_eq!(log.state(), SyncState::Succeeded, "{log:?}");
        log
    }

    /// The half hour so many after the first one, a few days from now.
    pub(super) fn slot(&self, number: i64) -> DateTime<Utc> {
        self.first_slot + TimeDelta::minutes(30 * number)
    }

    /// Half an hour of the practitioner's time.
    pub(super) fn wish(
        &self,
        what: &Bookable,
        patient: &str,
        start: DateTime<Utc>,
    ) -> BookAppointmentRequest {
        BookAppointmentRequest {
            service_id: what.service_id.clone(),
            duration: None,
            ..desk::slot(patient, &self.practitioner_id, start)
        }
    }

    /// Erika Muster, whom Cal.com can write to.
    pub(super) async fn erika(&self) -> String {
        self.patient("Erika", "Muster", "erika@example.org", "").await
    }

    pub(super) async fn patient(&self, first: &str, last: &str, email: &str, phone: &str) -> String {
        let request = proto::CreatePatientRequest {
            email: email.into(),
            phone: phone.into(),
            ..desk::person(first, last)
        };
        desk::add_patient(&self.acme.admin, request).await.patient_id
    }

    /// Booked here and there.
    pub(super) async fn booked(&self, patient: &str, start: DateTime<Utc>) -> proto::Appointment {
        let wish = self.wish(&self.visit, patient, start);
        let booked = desk::book(&self.acme.admin, wish).await.expect("booked");
        self.work_through().await;
        self.appointment(&booked.appointment_id).await
    }

    pub(super) async fn appointment(&self, id: &str) -> proto::Appointment {
        desk::appointment(&self.acme.admin, id).await
    }

    /// Booked by an attendee at Cal.com's page.
    pub(super) fn attendee(&self, what: &Bookable, start: DateTime<Utc>) -> NewBooking {
        NewBooking::new(what.event_type, start, "Max Beispiel", "max@example.org")
    }

    /// A backend whose changes are the phone assistant's.
    pub(super) async fn phone(&self) -> TestCaller {
        let request = CreateApiKeyRequest {
            name: "phone".into(),
            role: Role::Service.into(),
            scopes: vec!["appointments:read".into(), "appointments:write".into()],
            origin: SyncOrigin::Retell.into(),
            ..Default::default()
        };
        let made = self.acme.admin.access().create_api_key(request).await.expect("a key").into_inner();
        self.acme.bearer(&made.secret)
    }

    /// What must be decided by a person, by appointment.
    pub(super) async fn reviews(&self) -> BTreeMap<String, Vec<Review>> {
        let open =
            "SELECT row_to_json(t) FROM (SELECT * FROM review_item WHERE state = 'open' ORDER BY id) t";
        let mut by_appointment: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for line in self.app.database.owner().await.lines(open).await {
            let review: Review = serde_json::from_str(&line).expect("a review item");
            by_appointment.entry(review.appointment_id.clone().unwrap_or_default()).or_default().push(review);
        }
        by_appointment
    }

    /// A person decides that it is to be tried again.
    pub(super) async fn try_again(&self, item: &Review) {
        let mut request = ResolveReviewItemRequest { review_item_id: item.id.clone(), ..Default::default() };
        request.set_resolution(Resolution::Retry);
        self.acme.admin.reviews().resolve_review_item(request).await.expect("another try");
    }

    /// Writes that arrived at Cal.com, whatever it answered.
    pub(super) fn writes(&self) -> Vec<Recorded> {
        let is_write = |request: &Recorded| request.operation.is_some_and(|one| WRITES.contains(&one));
        self.calcom.requests().into_iter().filter(is_write).collect()
    }

    /// Every request was one that Cal.com's own description allows.
    pub(super) fn check_requests(&self) {
        check_requests(&self.calcom);
    }
}

pub(super) fn check_requests(calcom: &Calcom) {
    let wrong: Vec<String> =
        calcom.requests().iter().filter_map(|request| spec::check_request(request).err()).collect();
    assert_eq!(wrong, [""; 0]);
}

/// The same practitioner and services on both sides.
pub(super) async fn furnish(calcom: &Calcom, admin: &TestCaller) -> Premises {
    let host = calcom.add_user("Anna Beispiel", "anna@example.com", Berlin);
    let practitioner = desk::add_practitioner(admin, &host.name, &[]).await;
    let bookable = async |slug: &str, title: &str, requires_confirmation| {
        let options = EventTypeOptions { requires_confirmation, ..EventTypeOptions::default() };
        let event_type = calcom.add_event_type(host.id, slug, title, 30, options).expect("a known host");
        Bookable { event_type, service_id: put_service(admin, title).await }
    };
    Premises {
        visit: bookable("visit", "Visit", false).await,
        consultation: bookable("consultation", "Consultation", true).await,
        practitioner_id: practitioner.practitioner_id,
        host,
    }
}

async fn put_service(admin: &TestCaller, name: &str) -> String {
    let request =
        PutServiceRequest { name: name.into(), duration: Some(desk::minutes(30)), ..Default::default() };
    let put = admin.access().put_service(request).await.expect("a service").into_inner();
    put.service.expect("shown").service_id
}

/// The integration's id; its first run is queued.
pub(super) async fn connect(calcom: &Calcom, admin: &TestCaller, host: &User) -> String {
    try_connect(calcom, admin, host).await.expect("an integration")
}

pub(super) async fn try_connect(calcom: &Calcom, admin: &TestCaller, host: &User) -> Result<String, Status> {
    let request = CreateIntegrationRequest {
        provider: "calcom".into(),
        name: host.name.clone(),
        instance_url: format!("{}/v2", calcom.url()),
        api_key: host.api_key.clone(),
        ..Default::default()
    };
    let made = admin.integrations().create_integration(request).await?.into_inner();
    Ok(made.integration.expect("shown").integration_id)
}
