//! A tenant that is connected with a Cal.com of its own: the double over real HTTP, and the rows that
//! connecting makes.

use std::{panic::AssertUnwindSafe, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use stellwerk::{
    caller::Caller,
    domain::{
        Domain,
        appointment::{self, Booking, Cancel, Move, Shown},
        engine::lineage,
        idempotency::Key,
    },
    error::Error,
    ids::{
        AppointmentId, CredentialId, EventTypeId, IntegrationId, MessageId, PatientId, PractitionerId,
        ServiceId, TenantId,
    },
    provider::calcom as provider,
    sandbox::calcom::{
        self, Calcom, EventTypeOptions, Fault, Limits, NewBooking, Operation, Rule, Settings, Status, User,
    },
    store::{
        self, appointment::Appointment, credential::Credential, event_type::EventType,
        integration::Integration, review_item::ReviewItem,
    },
    words::{Origin, ProviderSync, Role},
};
use uuid::Uuid;

use super::{
    PATIENCE,
    app::{TestApp, TestAppBuilder},
    desk, log_book,
    tenant::TestTenant,
    wait_until,
};

/// A double without limits; tests of limits set some.
pub(crate) async fn double() -> Calcom {
    let settings = Settings { limits: Limits::none(), ..Settings::default() };
    Calcom::start(settings).await.expect("a double")
}

/// A server whose way out leads to doubles on loopback.
pub(crate) fn app() -> TestAppBuilder {
    TestApp::builder().setting("--egress-allow=127.0.0.1")
}

/// What of a tenant hangs together: one practitioner whose one service is one event type of a host at the
/// double.
pub(crate) struct Connected {
    pub(crate) domain: Domain,
    pub(crate) tenant: TenantId,
    pub(crate) integration: IntegrationId,
    pub(crate) calcom: Calcom,
    pub(crate) host: User,
    /// A visit of 30 minutes.
    pub(crate) event_type: i64,
    pub(crate) service: ServiceId,
    pub(crate) practitioner: PractitionerId,
    /// Erika Muster, erika@example.org.
    pub(crate) patient: PatientId,
}

/// Connects a tenant with a new host of the double.
pub(crate) async fn connect_calcom(app: &TestApp, tenant: &TestTenant, double: &Calcom) -> Connected {
    connect_with(app, tenant, double, EventTypeOptions::default()).await
}

/// The same with an event type that has options.
pub(crate) async fn connect_with(
    app: &TestApp,
    tenant: &TestTenant,
    double: &Calcom,
    options: EventTypeOptions,
) -> Connected {
    let host = double.add_user("Mara Vogt", "mara.vogt@example.com", chrono_tz::Europe::Berlin);
    log_book::secret(&host.api_key);
    let practitioner = id(&tenant.put_practitioner("Mara Vogt").await);
    let service = ServiceId(id(&tenant.put_service(&format!("Visit {}", Uuid::now_v7().simple())).await));
    let erika = stellwerk::proto::CreatePatientRequest {
        email: "erika@example.org".into(),
        ..desk::person("Erika", "Muster")
    };
    let patient = PatientId(id(&desk::add_patient(&tenant.admin, erika).await.patient_id));
    let (tenant, integration) = (TenantId(tenant.id), IntegrationId::new());
    let now = Utc::now();
    let key = app.domain.tenant_key(tenant).await.expect("a key");
    let mut tx = app.domain.store.tenant(tenant).await.expect("a transaction");
    let row = Integration {
        instance_url: Some(format!("{}/v2", double.url())),
        account_id: Some(host.id.to_string()),
        account_name: Some(host.username.clone()),
        ..Integration::new(integration, "calcom", "Calendar", now)
    };
    store::integration::insert(&mut tx, &row).await.expect("an integration");
    let credential = CredentialId::new();
    let sealed_secret =
        key.seal(store::credential::place(credential), host.api_key.as_bytes()).expect("sealed");
    let row = Credential::api_key(credential, integration, sealed_secret, "test", now);
    store::credential::insert(&mut tx, &row).await.expect("a credential");
    store::integration_flow::insert(&mut tx, integration, 100.0, 100.0).await.expect("a flow");
    tx.commit().await.expect("committed");
    let mut connected = Connected {
        domain: app.domain.clone(),
        tenant,
        integration,
        calcom: double.clone(),
        host,
        event_type: 0,
        service,
        practitioner: PractitionerId(practitioner),
        patient,
    };
    let user = connected.host.clone();
    connected.event_type = connected.offer(&user, connected.practitioner, options).await;
    connected
}

impl Connected {
    /// Another visit of 30 minutes of the same service; returns its id at the double.
    pub(crate) async fn offer(
        &self,
        host: &User,
        practitioner: PractitionerId,
        options: EventTypeOptions,
    ) -> i64 {
        let made = self.calcom.add_event_type(host.id, "visit", "Visit", 30, options.clone());
        let event_type = made.expect("an event type");
        let row = EventType {
            id: EventTypeId::new(),
            integration_id: self.integration,
            instance_url: format!("{}/v2", self.calcom.url()),
            external_id: event_type.to_string(),
            slug: "visit".into(),
            title: "Visit".into(),
            service_id: Some(self.service),
            practitioner_id: Some(practitioner),
            length_minutes: 30,
            length_options: Vec::new(),
            requires_confirmation: options.requires_confirmation,
            is_seated: options.seats.is_some(),
            is_recurring: options.recurrence.is_some(),
            unsupported_reason: None,
            archived: false,
            check_time: Utc::now(),
        };
        let mut tx = self.tx().await;
        assert!(store::event_type::insert(&mut tx, &row).await.expect("an event type"));
        tx.commit().await.expect("committed");
        event_type
    }

    /// Somebody at the practice's desk.
    pub(crate) fn admin(&self) -> Caller {
        Caller {
            role: Role::Admin,
            subject: "api_key|desk".into(),
            origin: Origin::Admin,
            ..Caller::system(self.tenant)
        }
    }

    pub(crate) fn visit(&self, start: DateTime<Utc>) -> Booking {
        Booking {
            patient: Some(self.patient),
            practitioner: Some(self.practitioner),
            service: Some(self.service),
            start: Some(start),
            ..Booking::default()
        }
    }

    pub(crate) async fn book(&self, start: DateTime<Utc>) -> AppointmentId {
        self.try_book(self.visit(start)).await.expect("booked").appointment.id
    }

    /// Waits for Cal.com's answer.
    pub(crate) async fn book_and_wait(&self, start: DateTime<Utc>) -> Result<Shown, Error> {
        self.try_book(Booking { wait: Some(PATIENCE), ..self.visit(start) }).await
    }

    pub(crate) async fn try_book(&self, booking: Booking) -> Result<Shown, Error> {
        appointment::book(&self.domain, &self.admin(), &no_key(), booking, Utc::now()).await
    }

    pub(crate) async fn reschedule(&self, appointment: AppointmentId, start: DateTime<Utc>) {
        self.try_reschedule(appointment, start, None).await.expect("moved");
    }

    pub(crate) async fn try_reschedule(
        &self,
        appointment: AppointmentId,
        start: DateTime<Utc>,
        wait: Option<Duration>,
    ) -> Result<Shown, Error> {
        let to = Move { appointment, start, duration: None, practitioner: None, wait };
        appointment::reschedule(&self.domain, &self.admin(), &no_key(), to, Utc::now()).await
    }

    pub(crate) async fn cancel(&self, appointment: AppointmentId) {
        self.try_cancel(appointment, None).await.expect("cancelled");
    }

    pub(crate) async fn try_cancel(
        &self,
        appointment: AppointmentId,
        wait: Option<Duration>,
    ) -> Result<Shown, Error> {
        let of = Cancel { appointment, reason: "ill".into(), wait };
        appointment::cancel(&self.domain, &self.admin(), &no_key(), of, Utc::now()).await
    }

    pub(crate) async fn appointment(&self, id: AppointmentId) -> Appointment {
        let mut tx = self.tx().await;
        let row = store::appointment::find(&mut tx, id).await.expect("an appointment");
        tx.end_reading();
        row
    }

    pub(crate) async fn standing(&self, id: AppointmentId) -> ProviderSync {
        self.appointment(id).await.sync.provider_sync
    }

    /// Waits until Cal.com has what stands here.
    pub(crate) async fn until_synced(&self, id: AppointmentId) -> Appointment {
        self.until(id, ProviderSync::Synced).await
    }

    pub(crate) async fn until(&self, id: AppointmentId, standing: ProviderSync) -> Appointment {
        until_within(self, id, standing, PATIENCE).await
    }

    /// The open items, oldest first.
    pub(crate) async fn review_items(&self) -> Vec<ReviewItem> {
        let mut tx = self.tx().await;
        let filter = store::review_item::Filter {
            state: Some(stellwerk::words::ReviewState::Open),
            ..Default::default()
        };
        let page = stellwerk::page::Page { size: 100, after: None };
        let paged = store::review_item::list(&mut tx, &filter, &page).await.expect("items");
        tx.end_reading();
        paged.rows
    }

    /// Somebody books at Cal.com's page.
    pub(crate) async fn book_there(&self, start: DateTime<Utc>) -> calcom::Booking {
        let wish = NewBooking::new(self.event_type, start, "Max Beispiel", "max@example.org");
        self.calcom.book_as_attendee(wish).await.expect("booked")
    }

    /// What a webhook about this booking would tell, or a read.
    pub(crate) async fn learn(&self, uid: &str, certainty: lineage::Certainty) -> lineage::Applied {
        self.apply(self.look(uid).await, certainty).await
    }

    /// A booking as it stands at Cal.com.
    pub(crate) async fn look(&self, uid: &str) -> lineage::Seen {
        let instance = format!("{}/v2", self.calcom.url()).parse().expect("a URL");
        let secret = self.host.api_key.clone().into();
        let way = provider::Calcom::new(&self.domain.egress, &instance, &secret);
        let found = way.booking(uid).await.expect("an answer").expect("a booking");
        lineage::Seen::of(&found.bookings()[0])
    }

    pub(crate) async fn apply(&self, seen: lineage::Seen, certainty: lineage::Certainty) -> lineage::Applied {
        let key = self.domain.tenant_key(self.tenant).await.expect("a key");
        let cause = format!("outbox/{}", MessageId::new());
        let context =
            lineage::Context { key, integration: self.integration, cause, certainty, now: Utc::now() };
        let mut tx = self.tx().await;
        let applied = lineage::apply(&mut tx, &context, seen).await.expect("applied");
        tx.commit().await.expect("committed");
        applied
    }

    /// The bookings at Cal.com that stand or may come to stand.
    pub(crate) fn living(&self) -> Vec<calcom::Booking> {
        self.calcom.bookings().into_iter().filter(|booking| booking.is_active()).collect()
    }

    /// The one that stands, and is accepted.
    pub(crate) fn only_living(&self) -> calcom::Booking {
        let mut living = self.living();
        assert_eq!(living.len(), 1, "{living:?}");
        let only = living.remove(0);
        assert_eq!(only.status, Status::Accepted);
        only
    }

    /// How often this was asked.
    pub(crate) fn asked(&self, operation: Operation) -> usize {
        self.calcom.requests().iter().filter(|request| request.operation == Some(operation)).count()
    }

    /// The next so many of these go wrong.
    pub(crate) fn fail(&self, times: u32, operation: Operation, fault: Fault) {
        self.calcom.add_fault(Rule::next(times, fault).on(operation));
    }

    /// The kinds of the history's changes with their reasons, oldest first.
    pub(crate) async fn history(&self, id: AppointmentId) -> Vec<String> {
        let mut tx = self.tx().await;
        let page = stellwerk::page::Page { size: 200, after: None };
        let changes = store::appointment::changes(&mut tx, id, &page).await.expect("a history");
        tx.end_reading();
        let told = changes.rows.into_iter().map(|change| match change.reason {
            Some(reason) => format!("{} {} {reason}", change.kind, change.provider_sync),
            None => format!("{} {}", change.kind, change.provider_sync),
        });
        told.collect()
    }

    pub(crate) async fn integration(&self) -> Integration {
        let mut tx = self.tx().await;
        let row = store::integration::find(&mut tx, self.integration).await.expect("an integration");
        tx.end_reading();
        row
    }

    pub(crate) async fn change_integration(&self, change: impl FnOnce(&mut Integration)) {
        let mut tx = self.tx().await;
        let mut row =
            store::integration::find_for_update(&mut tx, self.integration).await.expect("an integration");
        change(&mut row);
        store::integration::save(&mut tx, &row).await.expect("saved");
        tx.commit().await.expect("committed");
    }

    pub(crate) async fn tx(&self) -> store::TenantTx {
        self.domain.store.tenant(self.tenant).await.expect("a transaction")
    }
}

/// A full hour on a day to come.
pub(crate) fn on_day(day: i64, hour: i64) -> DateTime<Utc> {
    desk::in_days(day).date_naive().and_hms_opt(0, 0, 0).expect("midnight").and_utc() + TimeDelta::hours(hour)
}

pub(crate) fn no_key() -> Key {
    Key::new("Test", "", b"")
}

fn id(text: &str) -> Uuid {
    text.parse().expect("a UUID")
}

/// Waits for as long as the pauses between tries take.
pub(crate) async fn until_within(
    practice: &Connected,
    id: AppointmentId,
    standing: ProviderSync,
    deadline: Duration,
) -> Appointment {
    let is_reached = async || practice.standing(id).await == standing;
    let state = format!("the appointment is {standing}");
    let waiting = AssertUnwindSafe(wait_until(&state, deadline, is_reached)).catch_unwind();
    if let Err(panic) = waiting.await {
        eprintln!("{:?}\n{:?}", practice.history(id).await, practice.appointment(id).await.sync);
        std::panic::resume_unwind(panic);
    }
    practice.appointment(id).await
}
