//! A thousand callers of all four services at once.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use prost_types::Timestamp;
use rand::{Rng, SeedableRng, rngs::StdRng};
use stellwerk::proto;
use tokio::{task::JoinSet, time::sleep};

use crate::{
    Result,
    grpc::{Call, Channel},
    report::{Tally, Window},
    scene::{BOOKINGS, Kind, PRACTITIONERS, TENANTS, api_key, id},
};

pub(crate) const CALLERS: usize = 1000;
pub(crate) const CONNECTIONS: usize = 20;
const PAGE: i32 = 20;

/// What is called, and how often in a hundred calls.
const SHARES: [(What, u32); 11] = [
    (What::GetAppointment, 25),
    (What::ListAppointments, 12),
    (What::GetAppointmentHistory, 5),
    (What::RescheduleAppointment, 5),
    (What::GetPatient, 20),
    (What::ListPatients, 8),
    (What::GetBookingLink, 2),
    (What::ListWebhookEndpoints, 5),
    (What::ListWebhookEvents, 5),
    (What::GetTenantSettings, 8),
    (What::ListPractitioners, 5),
];

#[derive(Clone, Copy, Debug)]
enum What {
    GetAppointment,
    ListAppointments,
    GetAppointmentHistory,
    RescheduleAppointment,
    GetPatient,
    ListPatients,
    GetBookingLink,
    ListWebhookEndpoints,
    ListWebhookEvents,
    GetTenantSettings,
    ListPractitioners,
}

/// What came of it all.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) tally: Tally,
    /// Answers that were not OK, by what they said.
    pub(crate) errors: BTreeMap<String, usize>,
}

/// `CALLERS` callers, each with one call under way at a time and `pause` between two.
pub(crate) async fn run(to: SocketAddr, window: Window, pause: Duration) -> Result<Outcome> {
    let channels = Channel::several(to, CONNECTIONS).await?;
    let keys: Arc<Vec<String>> = Arc::new((1..=TENANTS).map(api_key).collect());
    let mut callers = JoinSet::new();
    for number in 0..CALLERS {
        let (channel, keys) = (channels[number % CONNECTIONS].clone(), keys.clone());
        callers.spawn(async move { call(&channel, &keys, number, window, pause).await });
    }
    let mut all = Outcome { tally: window.tally(), errors: BTreeMap::new() };
    while let Some(outcome) = callers.join_next().await {
        let outcome = outcome??;
        all.tally.add(outcome.tally);
        for (error, count) in outcome.errors {
            *all.errors.entry(error).or_default() += count;
        }
    }
    Ok(all)
}

async fn call(
    channel: &Channel,
    keys: &[String],
    number: usize,
    window: Window,
    pause: Duration,
) -> Result<Outcome> {
    let mut random = StdRng::seed_from_u64(number as u64);
    let mut outcome = Outcome { tally: window.tally(), errors: BTreeMap::new() };
    // Not all in the same moment.
    sleep(pause.mul_f64(random.random())).await;
    while window.is_open() {
        let what = chosen(&mut random);
        let tenant = random.random_range(1..=TENANTS);
        let call = of(what, &keys[tenant - 1], tenant, &mut random)?;
        let begin = Instant::now();
        let answer = channel.ask(&call).await?;
        outcome.tally.note(&window, begin);
        if !answer.is_ok() {
            let error = format!("{what:?}: {} {}", answer.status, answer.detail);
            *outcome.errors.entry(error).or_default() += 1;
        }
        if !pause.is_zero() {
            sleep(pause.mul_f64(random.random_range(0.5..1.5))).await;
        }
    }
    Ok(outcome)
}

fn chosen(random: &mut StdRng) -> What {
    let mut place = random.random_range(0..SHARES.iter().map(|(_, share)| share).sum());
    for (what, share) in SHARES {
        if place < share {
            return what;
        }
        place -= share;
    }
    What::GetAppointment
}

fn of(what: What, key: &str, tenant: usize, random: &mut StdRng) -> Result<Call> {
    let booking = random.random_range(0..BOOKINGS);
    let appointment_id = id(Kind::Appointment, tenant, booking).to_string();
    let patient_id = id(Kind::Patient, tenant, booking).to_string();
    match what {
        What::GetAppointment => {
            let request = proto::GetAppointmentRequest { appointment_id };
            Call::new("/stellwerk.v1.AppointmentService/GetAppointment", key, &request)
        }
        What::ListAppointments => {
            let request = proto::ListAppointmentsRequest {
                page_size: PAGE,
                start_time_from: Some(timestamp(slot(booking)?)),
                ..proto::ListAppointmentsRequest::default()
            };
            Call::new("/stellwerk.v1.AppointmentService/ListAppointments", key, &request)
        }
        What::GetAppointmentHistory => {
            let request = proto::GetAppointmentHistoryRequest {
                appointment_id,
                page_size: PAGE,
                page_token: String::new(),
            };
            Call::new("/stellwerk.v1.AppointmentService/GetAppointmentHistory", key, &request)
        }
        What::RescheduleAppointment => {
            let start = slot(booking)? + TimeDelta::seconds(random.random_range(0..1800));
            let request = proto::RescheduleAppointmentRequest {
                appointment_id,
                start_time: Some(timestamp(start)),
                ..proto::RescheduleAppointmentRequest::default()
            };
            Call::new("/stellwerk.v1.AppointmentService/RescheduleAppointment", key, &request)
        }
        What::GetPatient => Call::new(
            "/stellwerk.v1.PatientService/GetPatient",
            key,
            &proto::GetPatientRequest { patient_id },
        ),
        What::ListPatients => {
            let request = proto::ListPatientsRequest {
                page_size: PAGE,
                last_name_prefix: format!("Muster {}", random.random_range(1..10)),
                ..proto::ListPatientsRequest::default()
            };
            Call::new("/stellwerk.v1.PatientService/ListPatients", key, &request)
        }
        What::GetBookingLink => Call::new(
            "/stellwerk.v1.PatientService/GetBookingLink",
            key,
            &proto::GetBookingLinkRequest { patient_id },
        ),
        What::ListWebhookEndpoints => {
            let request = proto::ListWebhookEndpointsRequest::default();
            Call::new("/stellwerk.v1.WebhookService/ListWebhookEndpoints", key, &request)
        }
        What::ListWebhookEvents => {
            let request = proto::ListWebhookEventsRequest {
                page_size: PAGE,
                ..proto::ListWebhookEventsRequest::default()
            };
            Call::new("/stellwerk.v1.WebhookService/ListWebhookEvents", key, &request)
        }
        What::GetTenantSettings => {
            let request = proto::GetTenantSettingsRequest::default();
            Call::new("/stellwerk.v1.AccessService/GetTenantSettings", key, &request)
        }
        What::ListPractitioners => {
            let request = proto::ListPractitionersRequest::default();
            Call::new("/stellwerk.v1.AccessService/ListPractitioners", key, &request)
        }
    }
}

/// When the two hours of a booking begin; `fill/bookings.sql` says the same.
fn slot(booking: usize) -> Result<DateTime<Utc>> {
    let slot = i64::try_from(booking / PRACTITIONERS)?;
    Ok(Utc::now().duration_trunc(TimeDelta::days(1))? + TimeDelta::days(30) + TimeDelta::hours(2 * slot))
}

fn timestamp(at: DateTime<Utc>) -> Timestamp {
    Timestamp { seconds: at.timestamp(), nanos: 0 }
}
