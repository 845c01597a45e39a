//! The loads over gRPC.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use chrono::{DateTime, TimeDelta, Utc};
use prost::Message;
use prost_types::Timestamp;
use rand::{Rng, SeedableRng, rngs::StdRng};
use stellwerk::proto;
use tokio::task::JoinSet;

use crate::{
    Result,
    grpc::{Call, Channel},
    report::{Tally, Window},
    scene::{BOOKINGS, CALENDAR_START, CALENDAR_TENANT, CALENDARS, Kind, TENANTS, api_key, id},
};

pub(crate) const GET_APPOINTMENT: &str = "/stellwerk.v1.AppointmentService/GetAppointment";
const LIST_APPOINTMENTS: &str = "/stellwerk.v1.AppointmentService/ListAppointments";
/// Connections that the concurrent callers of GetAppointment share.
pub(crate) const CONNECTIONS: usize = 4;
pub(crate) const CALLERS: usize = 32;
pub(crate) const PAGE: i32 = 50;

/// What `CALLERS` callers get of the appointments of all tenants.
pub(crate) async fn get_appointments(to: SocketAddr, window: Window) -> Result<Tally> {
    let channels = Channel::several(to, CONNECTIONS).await?;
    let mut calls = Vec::new();
    for tenant in 1..=TENANTS {
        for booking in 0..BOOKINGS {
            let appointment_id = id(Kind::Appointment, tenant, booking).to_string();
            calls.push(Call::new(
                GET_APPOINTMENT,
                &api_key(tenant),
                &proto::GetAppointmentRequest { appointment_id },
            )?);
        }
    }
    let calls = Arc::new(calls);
    let mut callers = JoinSet::new();
    for number in 0..CALLERS {
        let (channel, calls) = (channels[number % CONNECTIONS].clone(), calls.clone());
        callers.spawn(async move {
            let mut random = StdRng::seed_from_u64(number as u64);
            let mut tally = window.tally();
            while window.is_open() {
                let call = &calls[random.random_range(0..calls.len())];
                let begin = Instant::now();
                channel.call(call).await?;
                tally.note(&window, begin);
            }
            Ok(tally)
        });
    }
    joined(callers, window).await
}

/// How many bytes the answer to one GetAppointment has.
pub(crate) async fn appointment_bytes(to: SocketAddr) -> Result<usize> {
    let appointment_id = id(Kind::Appointment, 1, 1).to_string();
    let call = Call::new(GET_APPOINTMENT, &api_key(1), &proto::GetAppointmentRequest { appointment_id })?;
    Ok(Channel::connect(to).await?.call(&call).await?.len())
}

/// An appointment as the server tells one.
pub(crate) fn sample_appointment() -> proto::Appointment {
    let time = Some(Timestamp { seconds: 1_790_000_000, nanos: 123_456_000 });
    proto::Appointment {
        appointment_id: id(Kind::Appointment, 1, 1).to_string(),
        patient_id: id(Kind::Patient, 1, 1).to_string(),
        practitioner_id: id(Kind::Practitioner, 1, 1).to_string(),
        service_id: id(Kind::Practitioner, 1, 2).to_string(),
        therapist_name: "Max Beispiel 1".into(),
        service_name: "Behandlung".into(),
        status: proto::AppointmentStatus::Booked.into(),
        start_time: time,
        end_time: time,
        time_zone: "+00:00".into(),
        origin: proto::SyncOrigin::BookingTool.into(),
        last_change_origin: proto::SyncOrigin::BookingTool.into(),
        integration_id: id(Kind::Practitioner, 1, 3).to_string(),
        external_id: "a1".into(),
        sync_time: time,
        create_time: time,
        update_time: time,
        ..proto::Appointment::default()
    }
}

/// Pages of the growing calendar, one after the other: from a random hour on, the page after it,
/// and one practitioner's.
pub(crate) async fn list_appointments(to: SocketAddr, hours: usize, window: Window) -> Result<Tally> {
    let channel = Channel::connect(to).await?;
    let first: DateTime<Utc> = CALENDAR_START.parse()?;
    let mut random = StdRng::seed_from_u64(1);
    let mut tally = window.tally();
    while window.is_open() {
        // Far enough from the end for two whole pages.
        let hour = random.random_range(0..hours.saturating_sub(60).max(1));
        let from = first + TimeDelta::hours(i64::try_from(hour)?);
        let start_time_from = Some(Timestamp { seconds: from.timestamp(), nanos: 0 });
        let everybody = proto::ListAppointmentsRequest {
            page_size: PAGE,
            start_time_from,
            ..proto::ListAppointmentsRequest::default()
        };
        let page = listed(&channel, &everybody, &window, &mut tally).await?;
        let next = proto::ListAppointmentsRequest { page_token: page.next_page_token, ..everybody.clone() };
        listed(&channel, &next, &window, &mut tally).await?;
        let practitioner_id =
            id(Kind::Practitioner, CALENDAR_TENANT, random.random_range(0..CALENDARS)).to_string();
        listed(
            &channel,
            &proto::ListAppointmentsRequest { practitioner_id, ..everybody },
            &window,
            &mut tally,
        )
        .await?;
    }
    Ok(tally)
}

async fn listed(
    channel: &Channel,
    request: &proto::ListAppointmentsRequest,
    window: &Window,
    tally: &mut Tally,
) -> Result<proto::ListAppointmentsResponse> {
    let call = Call::new(LIST_APPOINTMENTS, &api_key(CALENDAR_TENANT), request)?;
    let begin = Instant::now();
    let message = channel.call(&call).await?;
    tally.note(window, begin);
    let page = proto::ListAppointmentsResponse::decode(message)?;
    if page.appointments.len() == PAGE as usize { Ok(page) } else { Err("a page was not whole".into()) }
}

/// The tallies of all callers as one.
pub(crate) async fn joined(mut callers: JoinSet<Result<Tally>>, window: Window) -> Result<Tally> {
    let mut all = window.tally();
    while let Some(tally) = callers.join_next().await {
        all.add(tally??);
    }
    Ok(all)
}
