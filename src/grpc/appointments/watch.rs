//! WatchAppointments.

use chrono::Utc;
use tonic::Request;

use super::{checked, convert, optional_id, optional_time};
use crate::{
    caller::Caller,
    domain::{
        Domain,
        appointment::{Wanted, Watch},
    },
    error::Result,
    grpc::{
        listing::tokens,
        streams::{Answers, Source, Streams},
    },
    proto::{WatchAppointmentsRequest, WatchAppointmentsResponse},
};

/// A watch, and what its tokens are bound to.
struct Watching {
    watch: Watch,
    domain: Domain,
    caller: Caller,
    bound: WatchAppointmentsRequest,
}

pub(super) async fn begin(
    domain: &Domain,
    streams: &Streams,
    request: Request<WatchAppointmentsRequest>,
) -> Result<Answers<WatchAppointmentsResponse>> {
    let ticket = streams.enter(&request)?;
    let (caller, request) = checked(request)?;
    let bound = WatchAppointmentsRequest { resume_token: String::new(), ..request.clone() };
    let wanted = Wanted {
        practitioner: optional_id("practitioner_id", &request.practitioner_id)?,
        patient: optional_id("patient_id", &request.patient_id)?,
        snapshot_from: optional_time("snapshot_start_time_from", request.snapshot_start_time_from)?,
    };
    let resume = tokens(domain, &caller, &bound).resume(&request.resume_token)?;
    let watch = Watch::open(domain.clone(), caller.clone(), wanted, resume, Utc::now).await?;
    Ok(ticket.stream(Watching { watch, domain: domain.clone(), caller, bound }))
}

impl Source for Watching {
    type Message = WatchAppointmentsResponse;

    async fn next(&mut self) -> Result<Option<WatchAppointmentsResponse>> {
        let (news, bookmark) = self.watch.next().await?;
        let tokens = tokens(&self.domain, &self.caller, &self.bound);
        let resume_token = tokens.seal(&bookmark)?;
        Ok(Some(WatchAppointmentsResponse { resume_token, event: convert::event(news) }))
    }
}
