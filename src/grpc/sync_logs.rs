//! SyncLogService.

use chrono::Utc;
use serde_json::Value;
use tonic::{Request, Response, Status};

use super::{
    checked,
    convert::{span, timestamp},
    id, key,
    listing::tokens,
    optional_id, paging,
    streams::{Answers, Source, Streams},
};
use crate::{
    caller::Caller,
    domain::{
        Domain, sync_log,
        watch::{SyncLogNews, SyncLogWatch},
    },
    error::Result,
    proto::{self, sync_log_service_server::SyncLogService, watch_sync_log_response::Event},
    store::sync_log::{Filter, SyncLog},
    words::{SyncKind, SyncState},
};

pub struct SyncLogApi {
    domain: Domain,
    streams: Streams,
}

impl SyncLogApi {
    pub fn new(domain: Domain, streams: Streams) -> Self {
        Self { domain, streams }
    }
}

/// A watch, and what its tokens are bound to.
struct Watching {
    watch: SyncLogWatch,
    domain: Domain,
    caller: Caller,
    bound: proto::WatchSyncLogRequest,
}

#[tonic::async_trait]
impl SyncLogService for SyncLogApi {
    type WatchSyncLogStream = Answers<proto::WatchSyncLogResponse>;

    async fn list_sync_logs(
        &self,
        request: Request<proto::ListSyncLogsRequest>,
    ) -> Result<Response<proto::ListSyncLogsResponse>, Status> {
        let (caller, request) = checked(request)?;
        let (tokens, page) = paging(&self.domain, &caller, &request)?;
        let filter = Filter {
            integration: optional_id("integration_id", &request.integration_id)?,
            state: state(request.state()),
            kind: kind(request.kind()),
        };
        let paged = sync_log::list(&self.domain, &caller, &filter, &page).await?;
        Ok(Response::new(proto::ListSyncLogsResponse {
            next_page_token: tokens.next(paged.next)?,
            sync_logs: paged.rows.into_iter().map(Into::into).collect(),
        }))
    }

    async fn get_sync_log(
        &self,
        request: Request<proto::GetSyncLogRequest>,
    ) -> Result<Response<proto::GetSyncLogResponse>, Status> {
        let (caller, request) = checked(request)?;
        let run = sync_log::get(&self.domain, &caller, id("sync_log_id", &request.sync_log_id)?).await?;
        Ok(Response::new(proto::GetSyncLogResponse { sync_log: Some(run.into()) }))
    }

    async fn watch_sync_log(
        &self,
        request: Request<proto::WatchSyncLogRequest>,
    ) -> Result<Response<Self::WatchSyncLogStream>, Status> {
        let ticket = self.streams.enter(&request)?;
        let (caller, request) = checked(request)?;
        let of = id("sync_log_id", &request.sync_log_id)?;
        let bound = proto::WatchSyncLogRequest { resume_token: String::new(), ..request.clone() };
        let known = tokens(&self.domain, &caller, &bound).resume(&request.resume_token)?;
        let watch = SyncLogWatch::open(self.domain.clone(), caller.clone(), of, known).await?;
        let watching = Watching { watch, domain: self.domain.clone(), caller, bound };
        Ok(Response::new(ticket.stream(watching)))
    }

    async fn start_sync(
        &self,
        request: Request<proto::StartSyncRequest>,
    ) -> Result<Response<proto::StartSyncResponse>, Status> {
        let (caller, request) = checked(request)?;
        let key = key(&request.idempotency_key, &request);
        let of = id("integration_id", &request.integration_id)?;
        let run = sync_log::start(&self.domain, &caller, &key, of, Utc::now()).await?;
        Ok(Response::new(proto::StartSyncResponse { sync_log: Some(run.into()) }))
    }

    async fn cancel_sync(
        &self,
        request: Request<proto::CancelSyncRequest>,
    ) -> Result<Response<proto::CancelSyncResponse>, Status> {
        let (caller, request) = checked(request)?;
        let key = key(&request.idempotency_key, &request);
        let of = id("sync_log_id", &request.sync_log_id)?;
        let run = sync_log::cancel(&self.domain, &caller, &key, of, Utc::now()).await?;
        Ok(Response::new(proto::CancelSyncResponse { sync_log: Some(run.into()) }))
    }
}

impl Source for Watching {
    type Message = proto::WatchSyncLogResponse;

    async fn next(&mut self) -> Result<Option<Self::Message>> {
        let Some((news, revision)) = self.watch.next().await? else { return Ok(None) };
        let tokens = tokens(&self.domain, &self.caller, &self.bound);
        let event = match news {
            SyncLogNews::Snapshot(run) => Some(Event::Snapshot(run.into())),
            SyncLogNews::Change { before, after } => Some(Event::Change(change(before, after))),
            SyncLogNews::Heartbeat => None,
        };
        Ok(Some(Self::Message { resume_token: tokens.seal(&revision)?, event }))
    }
}

/// What is other than before.
fn change(before: SyncLog, after: SyncLog) -> proto::SyncLogChange {
    let (before, after) = (proto::SyncLog::from(before), proto::SyncLog::from(after));
    let is_new = |count: &proto::SyncCount| !before.counts.contains(count);
    proto::SyncLogChange {
        state: after.state,
        stage: after.stage,
        counts: after.counts.into_iter().filter(is_new).collect(),
        errors: after.errors.into_iter().skip(before.errors.len()).collect(),
        error_count: after.error_count,
        reason: after.reason,
        cancel_asked: after.cancel_asked,
        revision: after.revision,
        end_time: after.end_time,
        duration: after.duration,
        expect_end_time: after.expect_end_time,
    }
}

impl From<SyncLog> for proto::SyncLog {
    fn from(run: SyncLog) -> Self {
        Self {
            sync_log_id: run.id.to_string(),
            integration_id: run.integration_id.to_string(),
            kind: proto::SyncKind::from(run.kind).into(),
            state: proto::SyncState::from(run.state).into(),
            cause: run.cause,
            stage: run.stage.unwrap_or_default(),
            counts: run.counts.as_object().into_iter().flatten().map(count).collect(),
            errors: run.errors.as_array().into_iter().flatten().map(error).collect(),
            error_count: run.error_count,
            reason: run.reason.unwrap_or_default(),
            cancel_asked: run.cancel_asked,
            revision: run.revision,
            start_time: Some(timestamp(run.start_time)),
            end_time: run.end_time.map(timestamp),
            duration: run.end_time.map(|end| span(end - run.start_time)),
            expect_end_time: run.expect_end_time.map(timestamp),
        }
    }
}

fn count((noun, counts): (&String, &Value)) -> proto::SyncCount {
    let of =
        |name: &str| counts[name].as_i64().and_then(|count| i32::try_from(count).ok()).unwrap_or_default();
    proto::SyncCount {
        noun: noun.clone(),
        total: of("total"),
        processed: of("processed"),
        repaired: of("repaired"),
    }
}

fn error(error: &Value) -> proto::SyncError {
    let of = |name: &str| error[name].as_str().unwrap_or_default().to_string();
    proto::SyncError { subject: of("subject"), reason: of("reason") }
}

/// A state that a request names; unspecified is none.
fn state(state: proto::SyncState) -> Option<SyncState> {
    Some(match state {
        proto::SyncState::Unspecified => return None,
        proto::SyncState::Queued => SyncState::Queued,
        proto::SyncState::Running => SyncState::Running,
        proto::SyncState::Succeeded => SyncState::Succeeded,
        proto::SyncState::Partial => SyncState::Partial,
        proto::SyncState::Failed => SyncState::Failed,
        proto::SyncState::Cancelled => SyncState::Cancelled,
    })
}

/// A kind that a request names; unspecified is none.
fn kind(kind: proto::SyncKind) -> Option<SyncKind> {
    Some(match kind {
        proto::SyncKind::Unspecified => return None,
        proto::SyncKind::Full => SyncKind::Full,
        proto::SyncKind::Incremental => SyncKind::Incremental,
        proto::SyncKind::Manual => SyncKind::Manual,
        proto::SyncKind::Scheduled => SyncKind::Scheduled,
        proto::SyncKind::Webhook => SyncKind::Webhook,
    })
}

impl From<SyncState> for proto::SyncState {
    fn from(state: SyncState) -> Self {
        match state {
            SyncState::Queued => Self::Queued,
            SyncState::Running => Self::Running,
            SyncState::Succeeded => Self::Succeeded,
            SyncState::Partial => Self::Partial,
            SyncState::Failed => Self::Failed,
            SyncState::Cancelled => Self::Cancelled,
        }
    }
}

impl From<SyncKind> for proto::SyncKind {
    fn from(kind: SyncKind) -> Self {
        match kind {
            SyncKind::Full => Self::Full,
            SyncKind::Incremental => Self::Incremental,
            SyncKind::Manual => Self::Manual,
            SyncKind::Scheduled => Self::Scheduled,
            SyncKind::Webhook => Self::Webhook,
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};
    use serde_json::json;

    use super::*;
    use crate::ids::{IntegrationId, SyncLogId};

    fn run() -> SyncLog {
        SyncLog {
            id: SyncLogId::new(),
            integration_id: IntegrationId::new(),
            kind: SyncKind::Manual,
            state: SyncState::Running,
            cause: "system".into(),
            stage: Some("bookings".into()),
            counts: json!({
                "bookings": { "total": 12, "processed": 7 },
                "event_types": { "total": 2, "processed": 2 },
            }),
            errors: json!([{ "subject": "event_type/12", "reason": "ACCOUNT_TAKEN" }]),
            error_count: 1,
            reason: None,
            cancel_asked: false,
            revision: 3,
            start_time: DateTime::UNIX_EPOCH,
            end_time: None,
            expect_end_time: None,
        }
    }

    #[test]
    fn a_change_says_only_what_is_other_than_before() {
        let before = run();
        let after = SyncLog {
            state: SyncState::Partial,
            counts: json!({
                "bookings": { "total": 12, "processed": 12, "repaired": 1 },
                "event_types": { "total": 2, "processed": 2 },
            }),
            errors: json!([
                { "subject": "event_type/12", "reason": "ACCOUNT_TAKEN" },
                { "subject": "booking/1", "reason": "UNMATCHED" },
            ]),
            error_count: 2,
            revision: 4,
            end_time: Some(before.start_time + TimeDelta::milliseconds(1500)),
            ..before.clone()
        };

        let told = change(before, after);

        let bookings = proto::SyncCount { noun: "bookings".into(), total: 12, processed: 12, repaired: 1 };
        let unmatched = proto::SyncError { subject: "booking/1".into(), reason: "UNMATCHED".into() };
        assert_eq!((told.counts, told.errors, told.error_count), (vec![bookings], vec![unmatched], 2));
        assert_eq!((told.state, told.revision), (proto::SyncState::Partial.into(), 4));
        assert_eq!(told.duration, Some(prost_types::Duration { seconds: 1, nanos: 500_000_000 }));
    }

    #[test]
    fn every_state_and_kind_survives_the_wire() {
        for word in SyncState::ALL {
            assert_eq!(state((*word).into()), Some(*word));
        }
        for word in SyncKind::ALL {
            assert_eq!(kind((*word).into()), Some(*word));
        }
    }
}
