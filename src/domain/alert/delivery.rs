//! Sending a notice: at once for who tests a destination, by the queue otherwise.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use super::{notice::Notice, target::Target};
use crate::{
    caller::Caller,
    domain::Domain,
    egress::{EgressError, retry_after},
    error::{Error, Result},
    ids::{AlertDestinationId, TenantId},
    store::{
        self,
        alert_destination::{AlertDestination, place},
        outbox::{Claimed, Outcome},
    },
};

/// For the whole exchange: whoever tests a destination waits for it.
const PATIENCE: Duration = Duration::from_secs(10);
/// The pauses before a notice is sent a second, third … time.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(15 * 60),
    Duration::from_secs(60 * 60),
];
/// After a 429 that does not say how long.
const THROTTLED: Duration = Duration::from_secs(60);
const THROTTLED_AT_MOST: Duration = Duration::from_secs(60 * 60);
/// A notice that is older is told to nobody: what goes on is told anew.
const OUTDATED: TimeDelta = TimeDelta::hours(24);

/// What a message asks for.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Work {
    pub(super) destination_id: AlertDestinationId,
    pub(super) notice: Notice,
}

/// What came of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tested {
    pub succeeded: bool,
    /// The code of what went wrong.
    pub reason: Option<String>,
}

/// What a destination made of a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    Taken,
    /// It asks for patience.
    Throttled(Duration),
    /// Another try may do it.
    Failed(String),
    /// No other try will.
    Refused(String),
}

/// Works on a message.
pub async fn deliver(
    domain: &Domain,
    message: &Claimed,
    payload: &serde_json::Value,
    now: DateTime<Utc>,
) -> Result<Outcome> {
    let work: Work = serde_json::from_value(payload.clone()).map_err(Error::internal)?;
    let mut tx = domain.store.tenant(message.tenant_id).await?;
    let found = store::alert_destination::find_if_any(&mut tx, work.destination_id).await?;
    tx.end_reading();
    let Some(destination) = found.filter(|destination| !destination.disabled) else {
        return Ok(Outcome::Done);
    };
    if now - work.notice.time > OUTDATED {
        return Ok(Outcome::Dead { reason: "OUTDATED".into() });
    }
    let answer = tell(domain, message.tenant_id, &destination, &work.notice, now).await?;
    Ok(outcome(answer, message.attempts))
}

/// Sends a notice that says it is a test. That it does not arrive is an answer, too. Errors: `NotFound`.
pub async fn test(
    domain: &Domain,
    caller: &Caller,
    id: AlertDestinationId,
    now: DateTime<Utc>,
) -> Result<Tested> {
    let mut tx = domain.store.caller(caller).await?;
    let destination = store::alert_destination::find(&mut tx, id).await?;
    let tenant = store::tenant::current(&mut tx).await?;
    tx.end_reading();
    let notice = Notice::test(&tenant, now);
    Ok(match tell(domain, caller.tenant, &destination, &notice, now).await? {
        Answer::Taken => Tested { succeeded: true, reason: None },
        Answer::Throttled(_) => Tested { succeeded: false, reason: Some("HTTP_429".into()) },
        Answer::Failed(reason) | Answer::Refused(reason) => Tested { succeeded: false, reason: Some(reason) },
    })
}

/// Sends the notice with no transaction open, and writes down what became of it.
async fn tell(
    domain: &Domain,
    tenant: TenantId,
    destination: &AlertDestination,
    notice: &Notice,
    now: DateTime<Utc>,
) -> Result<Answer> {
    let key = domain.tenant_key(tenant).await?;
    let sealed = key.open(place(destination.id), &destination.sealed_target).map_err(Error::internal)?;
    let request = Target::read(&sealed)?.request(destination.kind, notice)?;
    let answer = match domain.egress.send_within(request, PATIENCE).await {
        Ok(answer) => judge(answer.status, &answer.headers),
        // It arrived, and what is wrong will be wrong again.
        Err(EgressError::BodyTooLarge { .. }) => Answer::Refused("ANSWER_TOO_LARGE".into()),
        Err(error) => Answer::Failed(code(error).into()),
    };
    let mut tx = domain.store.tenant(tenant).await?;
    store::alert_destination::note(&mut tx, destination.id, answer.failure(), now).await?;
    tx.commit().await?;
    Ok(answer)
}

impl Answer {
    fn failure(&self) -> Option<&str> {
        match self {
            Self::Taken => None,
            Self::Throttled(_) => Some("HTTP_429"),
            Self::Failed(reason) | Self::Refused(reason) => Some(reason),
        }
    }
}

fn judge(status: StatusCode, headers: &HeaderMap) -> Answer {
    let reason = || format!("HTTP_{}", status.as_u16());
    match status {
        _ if status.is_success() => Answer::Taken,
        StatusCode::TOO_MANY_REQUESTS => {
            let wait = retry_after(headers).unwrap_or(THROTTLED);
            Answer::Throttled(wait.clamp(Duration::from_secs(1), THROTTLED_AT_MOST))
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => Answer::Failed(reason()),
        _ if status.is_server_error() => Answer::Failed(reason()),
        _ => Answer::Refused(reason()),
    }
}

fn code(error: EgressError) -> &'static str {
    match error {
        EgressError::UrlRefused | EgressError::NotHttps | EgressError::AddressRefused => "ADDRESS_REFUSED",
        EgressError::NameUnresolved => "NAME_UNRESOLVED",
        EgressError::Unreachable(_) => "UNREACHABLE",
        EgressError::Tls => "TLS",
        EgressError::Timeout => "TIMEOUT",
        EgressError::BodyTooLarge { .. } | EgressError::Broken => "BROKEN_OFF",
        EgressError::Setup => "SETUP",
    }
}

fn outcome(answer: Answer, attempt: i32) -> Outcome {
    match answer {
        Answer::Taken => Outcome::Done,
        Answer::Throttled(after) => Outcome::Release { after, reason: Some("HTTP_429".into()) },
        Answer::Refused(reason) => Outcome::Dead { reason },
        Answer::Failed(reason) => {
            let failed = usize::try_from(attempt).unwrap_or_default().max(1);
            match PAUSES.get(failed - 1) {
                Some(after) => Outcome::Retry { after: *after, reason },
                None => Outcome::Dead { reason },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::header::{DATE, RETRY_AFTER};

    use super::*;

    fn answer(status: u16, retry_after: Option<&str>) -> Answer {
        let mut headers = HeaderMap::new();
        if let Some(text) = retry_after {
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            headers.insert(DATE, "Sat, 21 Nov 2026 06:30:00 GMT".parse().unwrap());
        }
        judge(StatusCode::from_u16(status).unwrap(), &headers)
    }

    #[test]
    fn an_answer_says_whether_another_try_may_do_it() {
        assert_eq!([200, 204].map(|status| answer(status, None)), [Answer::Taken, Answer::Taken]);
        for status in [408, 425, 500, 503] {
            assert_eq!(answer(status, None), Answer::Failed(format!("HTTP_{status}")));
        }
        // A redirect is not followed: it could lead to where nothing may be sent.
        for status in [301, 400, 401, 403, 404, 410] {
            assert_eq!(answer(status, None), Answer::Refused(format!("HTTP_{status}")));
        }
    }

    #[test]
    fn patience_is_as_long_as_it_is_asked_for_within_an_hour() {
        let waits =
            [None, Some("7"), Some("0"), Some("86400"), Some("soon"), Some("Sat, 21 Nov 2026 06:30:42 GMT")]
                .map(|told| answer(429, told))
                .map(|answer| match answer {
                    Answer::Throttled(wait) => wait.as_secs(),
                    other => panic!("{other:?}"),
                });

        assert_eq!(waits, [60, 7, 1, 3600, 60, 42]);
    }

    #[test]
    fn a_notice_is_tried_six_times() {
        let failed = |attempt| outcome(Answer::Failed("HTTP_500".into()), attempt);

        let pauses: Vec<_> = (1..=6)
            .map(|attempt| match failed(attempt) {
                Outcome::Retry { after, .. } => Some(after.as_secs()),
                _ => None,
            })
            .collect();

        assert_eq!(pauses, [Some(10), Some(60), Some(300), Some(900), Some(3600), None]);
        assert_eq!(failed(6), Outcome::Dead { reason: "HTTP_500".into() });
    }
}
