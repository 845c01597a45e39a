//! From a booking's commit here to its request at Cal.com, and what becomes of bookings when Cal.com fails.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use stellwerk::{
    caller::Caller,
    domain::{
        appointment::{self, Booking},
        idempotency::Key,
    },
    ids::{
        AppointmentId, CredentialId, EventTypeId, IntegrationId, PatientId, PractitionerId, ServiceId,
        TenantId,
    },
    sandbox::calcom::{Calcom, EventTypeOptions, Fault, Limits, Operation, Rule, Settings},
    store::{self, credential::Credential, event_type::EventType, integration::Integration},
    words::{Origin, Role},
};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::{
    Extent, Result,
    report::{Report, Required, Tally},
    rooms::Rooms,
    scene::{Kind, Scene, TENANTS, id},
};

/// One after the other, with a pause between them.
const IDLE: usize = 100;
const IDLE_PAUSE: Duration = Duration::from_millis(100);
const BUSY_PER_S: u32 = 50;
/// Booked while Cal.com fails.
const FAULTY: usize = 200;
/// How long the last request may be on its way.
const PATIENCE: Duration = Duration::from_secs(60);
/// Retries of a booking are over after 36 s, a pause may lie between any two.
const FAULTY_PATIENCE: Duration = Duration::from_secs(240);
/// Nothing of the bench's other calendars is so far ahead.
const FIRST_DAY: i64 = 200;

/// The part of the convergence tests' faults that concerns requests.
const FAULTS: [(f64, Fault); 8] = [
    (0.06, Fault::AnswerLost { hold: false }),
    (0.04, Fault::Reset),
    (0.05, Fault::ErrorBefore { status: 502 }),
    (0.06, Fault::ErrorAfter { status: 500 }),
    (0.03, Fault::Throttled { retry_after_seconds: Some(1) }),
    (0.04, Fault::LostRace),
    (0.08, Fault::StaleRead),
    (0.10, Fault::AnswerDelayed { millis: 20 }),
];
/// Reasons of reviews of bookings that somebody else was faster with.
const RACED: &str = "'RACE_LOST', 'SLOT_TAKEN'";

/// One tenant's way to the double.
#[derive(Clone, Copy)]
struct Practice {
    tenant: TenantId,
    number: usize,
    event_type: i64,
}

/// What was booked: its event type and start say which request it became.
type Booked = ((i64, DateTime<Utc>), AppointmentId);

pub(crate) async fn measure(scene: &Scene, extent: &Extent, report: &mut Report) -> Result<()> {
    let rooms = Rooms::open(scene)?;
    let settings = Settings { limits: Limits::none(), kept_requests: 100_000, ..Settings::default() };
    let calcom = rooms.spawn(Calcom::start(settings)).await??;
    calcom.add_fault(Rule::always(Fault::AnswerDelayed { millis: 1 }));
    let mut practices = Vec::new();
    for tenant in 1..=TENANTS {
        practices.push(connect(&rooms, &calcom, tenant).await?);
    }
    let mut calendar = Calendar { rooms: &rooms, practices, booked: 0 };
    scene.checkpoint().await?;

    let mut idle = Vec::new();
    for _ in 0..IDLE {
        idle.push(calendar.book_next().await?);
        sleep(IDLE_PAUSE).await;
    }
    let mut idle = latencies(scene, &calcom, &idle).await?;
    let told = format!("{} ({IDLE} bookings, one at a time)", idle.percentiles());
    let p95 = idle.within_ms(0.95);
    report.require("commit to request at Cal.com, idle, p95 in ms", told, p95, Required::AtMost(50.0));

    scene.checkpoint().await?;
    let busy = calendar.book_steadily(extent.measured).await?;
    let mut busy = latencies(scene, &calcom, &busy).await?;
    let told = format!("{} ({} bookings, {TENANTS} integrations)", busy.percentiles(), busy.count());
    let figure = format!("commit to request at Cal.com, {BUSY_PER_S} bookings/s, p95 in ms");
    report.require(&figure, told, busy.within_ms(0.95), Required::AtMost(250.0));

    fail(scene, &calcom, &mut calendar, report).await
}

/// Bookings while Cal.com fails: how many stand there in the end.
async fn fail(
    scene: &Scene,
    calcom: &Calcom,
    calendar: &mut Calendar<'_>,
    report: &mut Report,
) -> Result<()> {
    calcom.clear_faults();
    for (seed, (probability, fault)) in FAULTS.into_iter().enumerate() {
        calcom.add_fault(Rule::chance(probability, seed as u64, fault));
    }
    let begin = Utc::now();
    for _ in 0..FAULTY {
        calendar.book_next().await?;
    }
    let since = begin.to_rfc3339();
    let standing = |states: &str| {
        format!(
            "SELECT count(*) FROM appointment WHERE create_time >= '{since}' AND provider_sync IN ({states})"
        )
    };
    let patience = Instant::now() + FAULTY_PATIENCE;
    while scene.count(&standing("'pending', 'failed'")).await? > 0 && Instant::now() < patience {
        sleep(Duration::from_millis(200)).await;
    }
    let synced = scene.count(&standing("'synced'")).await?;
    let items = |which: &str| {
        format!(
            "SELECT count(*) FROM review_item WHERE open_time >= '{since}' AND kind = 'requires_manual_review'{which}"
        )
    };
    let raced = scene.count(&items(&format!(" AND reason IN ({RACED})"))).await?;
    let all = scene.count(&items("")).await?;
    let dead = scene.count("SELECT count(*) FROM outbox WHERE state = 'dead'").await?;
    let can = i64::try_from(FAULTY)? - raced;
    let told = format!(
        "{synced} of {can}, {raced} more lost to a faster attendee; {all} review items, {dead} dead letters"
    );
    let share = synced as f64 / can as f64;
    report.require("bookings that reach a failing Cal.com", told, share, Required::AtLeast(1.0));
    calcom.clear_faults();
    Ok(())
}

struct Calendar<'a> {
    rooms: &'a Rooms,
    practices: Vec<Practice>,
    booked: usize,
}

impl Calendar<'_> {
    /// The next half hour of the next practice.
    fn next(&mut self) -> Result<(Practice, DateTime<Utc>)> {
        let practice = self.practices[self.booked % self.practices.len()];
        let slot = i64::try_from(self.booked / self.practices.len())?;
        self.booked += 1;
        let first = Utc::now().duration_trunc(TimeDelta::days(1))? + TimeDelta::days(FIRST_DAY);
        Ok((practice, first + TimeDelta::minutes(30 * slot)))
    }

    async fn book_next(&mut self) -> Result<Booked> {
        let (practice, start) = self.next()?;
        self.rooms.spawn(book(self.rooms.domain.clone(), practice, start)).await?
    }

    /// As many per second as are wanted, whether or not those before have ended.
    async fn book_steadily(&mut self, span: Duration) -> Result<Vec<Booked>> {
        let mut tick = interval(Duration::from_secs(1) / BUSY_PER_S);
        tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let until = Instant::now() + span;
        let mut booking = Vec::new();
        while Instant::now() < until {
            tick.tick().await;
            let (practice, start) = self.next()?;
            booking.push(self.rooms.spawn(book(self.rooms.domain.clone(), practice, start)));
        }
        let mut booked = Vec::new();
        for one in booking {
            booked.push(one.await??);
        }
        Ok(booked)
    }
}

async fn book(domain: stellwerk::domain::Domain, practice: Practice, start: DateTime<Utc>) -> Result<Booked> {
    let caller = Caller {
        role: Role::Admin,
        subject: "api_key|desk".into(),
        origin: Origin::Admin,
        ..Caller::system(practice.tenant)
    };
    let booking = Booking {
        patient: Some(PatientId(id(Kind::Patient, practice.number, 0))),
        practitioner: Some(PractitionerId(id(Kind::Practitioner, practice.number, 0))),
        service: Some(ServiceId(id(Kind::Service, practice.number, 0))),
        start: Some(start),
        ..Booking::default()
    };
    let booked =
        appointment::book(&domain, &caller, &Key::new("Bench", "", b""), booking, Utc::now()).await?;
    Ok(((practice.event_type, start), booked.appointment.id))
}

/// From each commit, as PostgreSQL has it, to the first request for it. Waits until all have arrived.
async fn latencies(scene: &Scene, calcom: &Calcom, booked: &[Booked]) -> Result<Tally> {
    let requests = arrivals(calcom, booked).await?;
    let mut took = Vec::new();
    for ((_, appointment), request) in booked.iter().zip(requests) {
        let row = format!("appointment_change WHERE appointment_id = '{appointment}' AND kind = 'created'");
        took.push((request - scene.commit_time(&row).await?).to_std()?);
    }
    Ok(Tally::of(took))
}

/// When the first request for each arrived.
async fn arrivals(calcom: &Calcom, booked: &[Booked]) -> Result<Vec<DateTime<Utc>>> {
    let patience = Instant::now() + PATIENCE;
    loop {
        let mut arrived = HashMap::new();
        for request in calcom.requests() {
            if request.operation == Some(Operation::CreateBooking)
                && let Some(event_type) = request.body["eventTypeId"].as_i64()
                && let Some(start) = request.body["start"].as_str()
            {
                arrived.entry((event_type, start.parse::<DateTime<Utc>>()?)).or_insert(request.time);
            }
        }
        let all = booked.iter().map(|(which, _)| arrived.get(which).copied());
        if let Some(all) = all.collect::<Option<Vec<_>>>() {
            return Ok(all);
        }
        if Instant::now() > patience {
            return Err(format!(
                "{} of {} bookings never reached Cal.com",
                booked.len() - arrived.len().min(booked.len()),
                booked.len()
            )
            .into());
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// The rows that connecting makes, with a budget that is no limit.
async fn connect(rooms: &Rooms, calcom: &Calcom, number: usize) -> Result<Practice> {
    let tenant = TenantId(id(Kind::Tenant, number, 0));
    let host = calcom.add_user(
        &format!("Mara Vogt {number}"),
        &format!("mara{number}@example.com"),
        chrono_tz::Europe::Berlin,
    );
    let event_type = calcom.add_event_type(host.id, "visit", "Visit", 30, EventTypeOptions::default())?;
    let (domain, instance) = (rooms.domain.clone(), format!("{}/v2", calcom.url()));
    let connecting = async move {
        let (integration, credential, now) = (IntegrationId::new(), CredentialId::new(), Utc::now());
        let key = domain.tenant_key(tenant).await?;
        let mut tx = domain.store.tenant(tenant).await?;
        let row = Integration {
            instance_url: Some(instance.clone()),
            account_id: Some(host.id.to_string()),
            account_name: Some(host.username.clone()),
            ..Integration::new(integration, "calcom", "Calendar", now)
        };
        store::integration::insert(&mut tx, &row).await?;
        let sealed = key.seal(store::credential::place(credential), host.api_key.as_bytes())?;
        let row = Credential::api_key(credential, integration, sealed, "bench", now);
        store::credential::insert(&mut tx, &row).await?;
        store::integration_flow::insert(&mut tx, integration, 10_000.0, 10_000.0).await?;
        let row = EventType {
            id: EventTypeId::new(),
            integration_id: integration,
            instance_url: instance,
            external_id: event_type.to_string(),
            slug: "visit".into(),
            title: "Visit".into(),
            service_id: Some(ServiceId(id(Kind::Service, number, 0))),
            practitioner_id: Some(PractitionerId(id(Kind::Practitioner, number, 0))),
            length_minutes: 30,
            length_options: Vec::new(),
            requires_confirmation: false,
            is_seated: false,
            is_recurring: false,
            unsupported_reason: None,
            archived: false,
            check_time: now,
        };
        store::event_type::insert(&mut tx, &row).await?;
        tx.commit().await?;
        Result::Ok(())
    };
    rooms.spawn(connecting).await??;
    Ok(Practice { tenant, number, event_type })
}
