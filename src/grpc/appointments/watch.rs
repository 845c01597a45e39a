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
        filters,
        streams::{Answers, Source, Streams},
    },
    page::Tokens,
    proto::{WatchAppointmentsRequest, WatchAppointmentsResponse},
};

/// A watch, and what its tokens are bound to.
struct Watching {
    watch: Watch,
    domain: Domain,
    caller: Caller,
    filters: Vec<u8>,
}

pub(super) async fn begin(
    domain: &Domain,
    streams: &Streams,
    request: Request<WatchAppointmentsRequest>,
) -> Result<Answers<WatchAppointmentsResponse>> {
    let ticket = streams.enter(&request)?;
    let (caller, request) = checked(request)?;
    let filters = filters(&WatchAppointmentsRequest { resume_token: String::new(), ..request.clone() });
    let wanted = Wanted {
        practitioner: optional_id("practitioner_id", &request.practitioner_id)?,
        patient: optional_id("patient_id", &request.patient_id)?,
        snapshot_from: optional_time("snapshot_start_time_from", request.snapshot_start_time_from)?,
    };
    let tokens = Tokens::new(&domain.vault, &caller, RPC, filters.clone());
    let resume = tokens.resume(&request.resume_token)?;
    let watch = Watch::open(domain.clone(), caller.clone(), wanted, resume, Utc::now).await?;
    Ok(ticket.stream(Watching { watch, domain: domain.clone(), caller, filters }))
}

const RPC: &str = "WatchAppointments";

impl Source for Watching {
    type Message = WatchAppointmentsResponse;

    async fn next(&mut self) -> Result<Option<WatchAppointmentsResponse>> {
        let (news, bookmark) = self.watch.next().await?;
        let tokens = Tokens::new(&self.domain.vault, &self.caller, RPC, self.filters.clone());
        let resume_token = tokens.seal(&bookmark)?;
        Ok(Some(WatchAppointmentsResponse { resume_token, event: convert::event(news) }))
    }
}
