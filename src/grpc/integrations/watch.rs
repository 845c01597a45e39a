//! WatchIntegrationStatus.

use chrono::Utc;
use prost::Message;
use tonic::Request;

use super::{checked, convert, id, integration};
use crate::{
    caller::Caller,
    domain::{
        Domain,
        watch::{POLL, Pace, Wake},
    },
    error::Result,
    grpc::{
        listing::tokens,
        streams::{Answers, Source, Streams},
    },
    ids::IntegrationId,
    proto::{IntegrationStatus, WatchIntegrationStatusRequest, WatchIntegrationStatusResponse},
    store::changes::Topic,
    vault,
};

/// A watch of a dashboard. Much of it has no hint of its own, so that it is looked at again and again.
struct Watching {
    domain: Domain,
    caller: Caller,
    integration: IntegrationId,
    bound: WatchIntegrationStatusRequest,
    pace: Pace,
    /// What the watcher saw last, as a hash.
    seen: Vec<u8>,
    /// The first look is at once.
    is_due: bool,
}

pub(super) async fn begin(
    domain: &Domain,
    streams: &Streams,
    request: Request<WatchIntegrationStatusRequest>,
) -> Result<Answers<WatchIntegrationStatusResponse>> {
    let ticket = streams.enter(&request)?;
    let (caller, request) = checked(request)?;
    let of: IntegrationId = id("integration_id", &request.integration_id)?;
    let bound = WatchIntegrationStatusRequest { resume_token: String::new(), ..request.clone() };
    let seen = tokens(domain, &caller, &bound).resume(&request.resume_token)?;
    let hints = domain.store.hints(caller.tenant, Topic::Integration, Some(of.0));
    integration::get(domain, &caller, of).await?;
    Ok(ticket.stream(Watching {
        domain: domain.clone(),
        caller,
        integration: of,
        bound,
        pace: Pace::new(hints),
        seen: seen.unwrap_or_default(),
        is_due: true,
    }))
}

impl Source for Watching {
    type Message = WatchIntegrationStatusResponse;

    async fn next(&mut self) -> Result<Option<WatchIntegrationStatusResponse>> {
        let mut news = None;
        loop {
            if self.is_due || self.pace.wait(POLL).await != Wake::Heartbeat {
                self.is_due = false;
                let now = Utc::now();
                let found = integration::status(&self.domain, &self.caller, self.integration, now).await?;
                let status = convert::status(&self.domain, found, now);
                let hash = hash(&status);
                if hash == self.seen {
                    continue;
                }
                self.seen = hash;
                news = Some(status);
            }
            self.pace.spoke();
            let resume_token = tokens(&self.domain, &self.caller, &self.bound).seal(&self.seen)?;
            return Ok(Some(WatchIntegrationStatusResponse { resume_token, status: news }));
        }
    }
}

/// Of what is worth telling: ages grow by themselves.
fn hash(status: &IntegrationStatus) -> Vec<u8> {
    let still = IntegrationStatus { oldest_message_age: None, ..status.clone() };
    vault::hash(&still.encode_to_vec())
}
