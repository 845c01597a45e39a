//! AppointmentService.

use chrono::{DateTime, TimeDelta, Utc};
use prost_types::Timestamp;
use tonic::{Request, Response, Status};

use super::{
    checked,
    convert::{optional_time, time},
    id, key, optional_id, paging,
    streams::{Answers, Streams},
};
use crate::{
    domain::{
        Domain,
        appointment::{self, Booking, Cancel, Hold, Move, Slot},
    },
    error::{Error, Result},
    proto::{self, appointment_service_server::AppointmentService},
    store::appointment::Filter,
};

mod convert;
mod watch;

/// How far ahead free slots are shown when the caller does not say.
const A_WEEK: TimeDelta = TimeDelta::days(7);

pub struct AppointmentApi {
    domain: Domain,
    streams: Streams,
}

impl AppointmentApi {
    pub fn new(domain: Domain, streams: Streams) -> Self {
        Self { domain, streams }
    }
}

#[tonic::async_trait]
impl AppointmentService for AppointmentApi {
    type WatchAppointmentsStream = Answers<proto::WatchAppointmentsResponse>;

    async fn book_appointment(
        &self,
        request: Request<proto::BookAppointmentRequest>,
    ) -> Result<Response<proto::BookAppointmentResponse>, Status> {
        let (caller, request) = checked(request)?;
        let key = key(&request.idempotency_key, &request);
        let booking = booking(request)?;
        let booked = appointment::book(&self.domain, &caller, &key, booking, Utc::now()).await?;
        Ok(Response::new(proto::BookAppointmentResponse { appointment: Some(booked.into()) }))
    }

    async fn hold_slot(
        &self,
        request: Request<proto::HoldSlotRequest>,
    ) -> Result<Response<proto::HoldSlotResponse>, Status> {
        let (caller, request) = checked(request)?;
        let key = key(&request.idempotency_key, &request);
        let hold = hold(request)?;
        let held = appointment::hold(&self.domain, &caller, &key, hold, Utc::now()).await?;
        Ok(Response::new(proto::HoldSlotResponse { appointment: Some(held.into()) }))
    }

    async fn reschedule_appointment(
        &self,
        request: Request<proto::RescheduleAppointmentRequest>,
    ) -> Result<Response<proto::RescheduleAppointmentResponse>, Status> {
        let (caller, request) = checked(request)?;
        let key = key(&request.idempotency_key, &request);
        let to = Move {
            appointment: id("appointment_id", &request.appointment_id)?,
            start: required_time("start_time", request.start_time)?,
            duration: request.duration.map(|duration| convert::span("duration", duration)).transpose()?,
            practitioner: optional_id("practitioner_id", &request.practitioner_id)?,
            wait: request.wait_for_provider.map(convert::wait),
        };
        let moved = appointment::reschedule(&self.domain, &caller, &key, to, Utc::now()).await?;
        Ok(Response::new(proto::RescheduleAppointmentResponse { appointment: Some(moved.into()) }))
    }

    async fn cancel_appointment(
        &self,
        request: Request<proto::CancelAppointmentRequest>,
    ) -> Result<Response<proto::CancelAppointmentResponse>, Status> {
        let (caller, request) = checked(request)?;
        let key = key(&request.idempotency_key, &request);
        let appointment = id("appointment_id", &request.appointment_id)?;
        let of = Cancel {
            appointment,
            reason: request.reason,
            wait: request.wait_for_provider.map(convert::wait),
        };
        let cancelled = appointment::cancel(&self.domain, &caller, &key, of, Utc::now()).await?;
        Ok(Response::new(proto::CancelAppointmentResponse { appointment: Some(cancelled.into()) }))
    }

    async fn get_appointment(
        &self,
        request: Request<proto::GetAppointmentRequest>,
    ) -> Result<Response<proto::GetAppointmentResponse>, Status> {
        let (caller, request) = checked(request)?;
        let of = id("appointment_id", &request.appointment_id)?;
        let found = appointment::get(&self.domain, &caller, of, Utc::now()).await?;
        Ok(Response::new(proto::GetAppointmentResponse { appointment: Some(found.into()) }))
    }

    async fn list_appointments(
        &self,
        request: Request<proto::ListAppointmentsRequest>,
    ) -> Result<Response<proto::ListAppointmentsResponse>, Status> {
        let (caller, request) = checked(request)?;
        let (tokens, page) = paging(&self.domain, &caller, &request)?;
        let filter = filter(&request)?;
        let now = Utc::now();
        let (paged, sources) = appointment::list(&self.domain, &caller, &filter, &page, now).await?;
        Ok(Response::new(proto::ListAppointmentsResponse {
            appointments: paged.rows.into_iter().map(Into::into).collect(),
            next_page_token: tokens.next(paged.next)?,
            sources: sources.into_iter().map(|source| convert::source(source, now)).collect(),
        }))
    }

    async fn list_my_appointments(
        &self,
        request: Request<proto::ListMyAppointmentsRequest>,
    ) -> Result<Response<proto::ListMyAppointmentsResponse>, Status> {
        let (caller, request) = checked(request)?;
        let (tokens, page) = paging(&self.domain, &caller, &request)?;
        let from = optional_time("start_time_from", request.start_time_from)?;
        let now = Utc::now();
        let (paged, sources) = appointment::list_mine(&self.domain, &caller, from, &page, now).await?;
        Ok(Response::new(proto::ListMyAppointmentsResponse {
            appointments: paged.rows.into_iter().map(Into::into).collect(),
            next_page_token: tokens.next(paged.next)?,
            sources: sources.into_iter().map(|source| convert::source(source, now)).collect(),
        }))
    }

    async fn get_appointment_history(
        &self,
        request: Request<proto::GetAppointmentHistoryRequest>,
    ) -> Result<Response<proto::GetAppointmentHistoryResponse>, Status> {
        let (caller, request) = checked(request)?;
        let (tokens, page) = paging(&self.domain, &caller, &request)?;
        let of = id("appointment_id", &request.appointment_id)?;
        let paged = appointment::history(&self.domain, &caller, of, &page).await?;
        Ok(Response::new(proto::GetAppointmentHistoryResponse {
            next_page_token: tokens.next(paged.next)?,
            changes: paged.rows.into_iter().map(Into::into).collect(),
        }))
    }

    async fn list_free_slots(
        &self,
        request: Request<proto::ListFreeSlotsRequest>,
    ) -> Result<Response<proto::ListFreeSlotsResponse>, Status> {
        let (caller, request) = checked(request)?;
        let (tokens, page) = paging(&self.domain, &caller, &request)?;
        let service = id("service_id", &request.service_id)?;
        let practitioner = id("practitioner_id", &request.practitioner_id)?;
        let now = Utc::now();
        let from = optional_time("start_time_from", request.start_time_from)?.unwrap_or(now);
        let until = optional_time("start_time_until", request.start_time_until)?;
        let until = until.unwrap_or_else(|| from.max(now) + A_WEEK);
        let from = page.after.map_or(from, |last| last + TimeDelta::microseconds(1));
        let mut free =
            appointment::free_slots(&self.domain, &caller, service, practitioner, from, until, now).await?;
        free.truncate(usize::try_from(page.limit()).unwrap_or(usize::MAX));
        let paged = page.cut(free, |slot| slot.start);
        Ok(Response::new(proto::ListFreeSlotsResponse {
            next_page_token: tokens.next(paged.next)?,
            free_slots: paged.rows.into_iter().map(Into::into).collect(),
        }))
    }

    async fn watch_appointments(
        &self,
        request: Request<proto::WatchAppointmentsRequest>,
    ) -> Result<Response<Self::WatchAppointmentsStream>, Status> {
        Ok(Response::new(watch::begin(&self.domain, &self.streams, request).await?))
    }
}

fn booking(request: proto::BookAppointmentRequest) -> Result<Booking> {
    Ok(Booking {
        hold: optional_id("hold_appointment_id", &request.hold_appointment_id)?,
        patient: optional_id("patient_id", &request.patient_id)?,
        practitioner: optional_id("practitioner_id", &request.practitioner_id)?,
        service: optional_id("service_id", &request.service_id)?,
        start: optional_time("start_time", request.start_time)?,
        duration: request.duration.map(|duration| convert::span("duration", duration)).transpose()?,
        time_zone: request.time_zone,
        wait: request.wait_for_provider.map(convert::wait),
    })
}

fn hold(request: proto::HoldSlotRequest) -> Result<Hold> {
    let span = |field, span: Option<_>| span.map(|span| convert::span(field, span)).transpose();
    Ok(Hold {
        slot: Slot {
            patient: optional_id("patient_id", &request.patient_id)?,
            practitioner: id("practitioner_id", &request.practitioner_id)?,
            service: optional_id("service_id", &request.service_id)?,
            start: required_time("start_time", request.start_time)?,
            duration: span("duration", request.duration)?,
            time_zone: request.time_zone,
        },
        hold_duration: span("hold_duration", request.hold_duration)?,
    })
}

fn filter(request: &proto::ListAppointmentsRequest) -> Result<Filter> {
    Ok(Filter {
        patient: optional_id("patient_id", &request.patient_id)?,
        practitioner: optional_id("practitioner_id", &request.practitioner_id)?,
        start_time_from: optional_time("start_time_from", request.start_time_from)?,
        start_time_until: optional_time("start_time_until", request.start_time_until)?,
        origin: super::convert::origin(request.origin()),
        status: convert::status(request.status()),
        unassigned: request.unassigned,
        provider_sync: convert::provider_sync(request.provider_sync()),
    })
}

fn required_time(field: &str, wire: Option<Timestamp>) -> Result<DateTime<Utc>> {
    time(field, wire.ok_or_else(|| Error::invalid(field, "is required"))?)
}
