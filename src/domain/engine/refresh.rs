//! Reading one booking at its provider, because what was told of it is not enough to go by.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{
    lineage::{self, Certainty, Context, Outcome as Learned, Seen},
    provider_call::{self, CallFailure, Urgency},
};
use crate::{
    domain::{Domain, consent},
    error::{Error, Result},
    ids::{IntegrationId, MessageId, TenantId},
    provider::calcom::{Booking, CallError, Class, Found, Refusal},
    store::{
        self, TenantTx,
        outbox::{Claimed, NewMessage, Outcome},
        retry_deadlocks,
    },
    words::{BookingStatus, IntegrationState, MessageKind},
};

/// What is told of one booking within this time is read once.
const QUIET: TimeDelta = TimeDelta::seconds(2);
const QUIET_AT_MOST: TimeDelta = TimeDelta::seconds(10);
/// What cannot be true is read again after this: Cal.com reads from a replica,
/// and tells of some cancellations before it has made them.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
/// Tries of one read while others are answered, as many as any message has.
const ATTEMPTS: i32 = 6;
/// How long a read is put off that is not answered, nor is anything else.
const WHILE_OUT: Duration = Duration::from_secs(30);
/// Moves that are followed either way, at most.
const FOLLOWED: usize = 20;
/// How long an integration is left alone that is not to be asked.
const UNTIL_CHANGED: Duration = Duration::from_secs(5 * 60);

/// What a message asks for.
#[derive(Debug, Serialize, Deserialize)]
struct Asked {
    integration_id: IntegrationId,
    uid: String,
    /// A person said that what is there counts, whatever was changed here. Left out when it is not so, or a
    /// webhook that comes after would take it back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    force: bool,
}

/// What was read.
struct Read {
    /// Newest first, so that whoever was moved is known by where it went.
    seen: Vec<Seen>,
    /// The provider does not have the booking that was asked for.
    is_gone: bool,
}

/// Queues a read of the booking.
pub async fn queue(
    tx: &mut TenantTx,
    integration: IntegrationId,
    uid: &str,
    cause: &str,
    now: DateTime<Utc>,
) -> Result<MessageId> {
    let asked = Asked { integration_id: integration, uid: uid.into(), force: false };
    store::outbox::push_debounced(tx, asked.message(cause, now)?, QUIET, QUIET_AT_MOST, now).await
}

/// Queues a read at once, after which the appointment is what the booking is, whatever was changed here.
pub async fn queue_forced(
    tx: &mut TenantTx,
    integration: IntegrationId,
    uid: &str,
    cause: &str,
    now: DateTime<Utc>,
) -> Result<MessageId> {
    let asked = Asked { integration_id: integration, uid: uid.into(), force: true };
    store::outbox::push(tx, asked.message(cause, now)?).await
}

/// Takes away what was given up of reading a booking: it was read since.
pub(super) async fn settle_dead(tx: &mut TenantTx, integration: IntegrationId, uid: &str) -> Result<()> {
    Asked { integration_id: integration, uid: uid.into(), force: false }.settle_dead(tx).await
}

impl Asked {
    fn lane(&self) -> String {
        format!("booking/{}/{}", self.integration_id, self.uid)
    }

    fn payload(&self) -> Result<serde_json::Value> {
        serde_json::to_value(self).map_err(Error::internal)
    }

    /// A look that a person asked for does more than others, which do not make it good.
    async fn settle_dead(&self, tx: &mut TenantTx) -> Result<()> {
        let plain = Self { force: false, uid: self.uid.clone(), ..*self };
        let done = [plain.payload()?, self.payload()?];
        store::dead_letter::settle(tx, MessageKind::BookingRefresh, &self.lane(), &done).await
    }

    fn message(&self, cause: &str, now: DateTime<Utc>) -> Result<NewMessage> {
        Ok(NewMessage {
            kind: MessageKind::BookingRefresh,
            lane: self.lane(),
            payload: self.payload()?,
            cause: cause.into(),
            run_time: now,
            integration: Some(self.integration_id),
        })
    }
}

/// Reads the booking, whatever it was moved from and to, and the series it is one of;
/// makes the appointments what they are there.
pub async fn run(domain: &Domain, message: &Claimed, payload: serde_json::Value) -> Result<Outcome> {
    let asked: Asked = serde_json::from_value(payload).map_err(Error::internal)?;
    let tenant = message.tenant_id;
    match standing(domain, tenant, asked.integration_id).await? {
        Standing::Asked => {}
        // What a person decided counts when the pause ends, too.
        Standing::Paused if asked.force => return Ok(put_off("INBOUND_PAUSED")),
        Standing::Paused | Standing::Ended => return Ok(Outcome::Done),
    }
    let read = match read(domain, tenant, &asked).await {
        Ok(read) => read,
        Err(CallFailure::Consent) if asked.force => return Ok(put_off(consent::MISSING)),
        Err(failure) => return unread(domain, message, asked.integration_id, failure).await,
    };
    let certainty = if message.attempts <= 1 { Certainty::Read } else { Certainty::Reread };
    let context = Context {
        key: domain.tenant_key(tenant).await?,
        integration: asked.integration_id,
        cause: format!("outbox/{}", message.id),
        certainty,
        now: Utc::now(),
    };
    let is_clear = retry_deadlocks(|| take_in(domain, tenant, &context, &asked, &read)).await?;
    if is_clear || certainty == Certainty::Reread {
        return Ok(Outcome::Done);
    }
    Ok(Outcome::Retry { after: AGAIN_AFTER, reason: "CONTRADICTORY".into() })
}

/// Whether an integration's bookings are read.
enum Standing {
    Asked,
    /// The end of the pause reads all that was missed.
    Paused,
    Ended,
}

async fn standing(domain: &Domain, tenant: TenantId, integration: IntegrationId) -> Result<Standing> {
    let mut tx = domain.store.tenant(tenant).await?;
    let row = store::integration::find(&mut tx, integration).await?;
    tx.end_reading();
    Ok(match row.state {
        IntegrationState::Disconnecting | IntegrationState::Disconnected => Standing::Ended,
        IntegrationState::Connected | IntegrationState::NeedsReconnect if row.inbound_paused => {
            Standing::Paused
        }
        IntegrationState::Connected | IntegrationState::NeedsReconnect => Standing::Asked,
    })
}

/// Until somebody changes the integration, which ends the wait at once.
fn put_off(reason: &str) -> Outcome {
    Outcome::Release { after: UNTIL_CHANGED, reason: Some(reason.into()) }
}

/// Takes in what was read. False: some of it cannot be true as things stand, and was left.
async fn take_in(
    domain: &Domain,
    tenant: TenantId,
    context: &Context,
    asked: &Asked,
    read: &Read,
) -> Result<bool> {
    let mut tx = domain.store.tenant(tenant).await?;
    let mut is_clear = true;
    if read.is_gone {
        let known = store::booking::find(&mut tx, asked.integration_id, &asked.uid).await?;
        let lives = known.is_none_or(|known| {
            matches!(known.status, BookingStatus::Unknown | BookingStatus::Pending | BookingStatus::Accepted)
        });
        // A replica may not have it yet.
        if lives && context.certainty == Certainty::Read {
            return Ok(false);
        }
    }
    for seen in &read.seen {
        let applied = lineage::apply(&mut tx, context, seen.clone()).await?;
        is_clear &= applied.outcome != Learned::NeedsLook;
        if let (true, true, Some(appointment)) = (asked.force, is_clear, applied.appointment) {
            lineage::follow_head(&mut tx, context, appointment).await?;
        }
    }
    if is_clear {
        asked.settle_dead(&mut tx).await?;
    }
    tx.commit().await?;
    Ok(is_clear)
}

async fn read(domain: &Domain, tenant: TenantId, asked: &Asked) -> Result<Read, CallFailure> {
    let Some(found) = get(domain, tenant, asked.integration_id, &asked.uid).await? else {
        return Ok(Read { seen: vec![Seen::gone(&asked.uid)], is_gone: true });
    };
    let mut bookings = found.into_bookings();
    if let [only] = &bookings[..] {
        let only = only.clone();
        if let Some(series) = &only.recurring_uid
            && let Some(series) = get(domain, tenant, asked.integration_id, series).await?
        {
            bookings = series.into_bookings();
        }
        if bookings.iter().all(|booking| booking.uid != only.uid) {
            bookings.push(only.clone());
        }
        for next in [later, earlier] {
            follow(domain, tenant, asked.integration_id, &only, next, &mut bookings).await?;
        }
    }
    // A move makes its booking after the one it moves.
    bookings.sort_by_key(|booking| std::cmp::Reverse(booking.created_at));
    Ok(Read { seen: bookings.iter().map(Seen::of).collect(), is_gone: false })
}

fn later(booking: &Booking) -> Option<&String> {
    booking.rescheduled_to_uid.as_ref()
}

fn earlier(booking: &Booking) -> Option<&String> {
    booking.rescheduled_from_uid.as_ref()
}

/// Adds the bookings that one was moved to, or from, as far as they are to be had.
async fn follow(
    domain: &Domain,
    tenant: TenantId,
    integration: IntegrationId,
    from: &Booking,
    next: fn(&Booking) -> Option<&String>,
    bookings: &mut Vec<Booking>,
) -> Result<(), CallFailure> {
    let mut at = from.clone();
    for _ in 0..FOLLOWED {
        let Some(uid) = next(&at).filter(|uid| bookings.iter().all(|booking| booking.uid != **uid)) else {
            return Ok(());
        };
        let found = get(domain, tenant, integration, uid).await?.map(Found::into_bookings);
        let Some(booking) = found.and_then(|found| found.into_iter().find(|one| one.uid == *uid)) else {
            return Ok(());
        };
        bookings.push(booking.clone());
        at = booking;
    }
    Ok(())
}

async fn get(
    domain: &Domain,
    tenant: TenantId,
    integration: IntegrationId,
    uid: &str,
) -> Result<Option<Found>, CallFailure> {
    let uid = uid.to_owned();
    provider_call::calcom(domain, tenant, integration, Urgency::Background, |way| async move {
        way.calcom().booking(&uid).await
    })
    .await
}

/// Why it was not read. While the provider answers nobody, no try is used up.
async fn unread(
    domain: &Domain,
    message: &Claimed,
    integration: IntegrationId,
    failure: CallFailure,
) -> Result<Outcome> {
    Ok(match failure {
        CallFailure::NotNow { after, reason } => Outcome::Release { after, reason: Some(reason.into()) },
        CallFailure::Credential => put_off("CREDENTIAL_REFUSED"),
        // A new consent is followed by a look at all that was missed.
        CallFailure::Consent => Outcome::Done,
        // Somebody else's: anybody can write a uid into a body.
        CallFailure::Call(CallError::Refused(Refusal::NotAllowed)) => Outcome::Done,
        CallFailure::Call(error) if error.class() == Class::Permanent => {
            Outcome::Dead { reason: error.reason().into() }
        }
        CallFailure::Call(error) if message.attempts < ATTEMPTS => return Err(Error::internal(error)),
        CallFailure::Call(error) => {
            let (tenant, urgency) = (message.tenant_id, Urgency::Background);
            match provider_call::is_calcom_out(domain, tenant, integration, urgency).await? {
                true => Outcome::Release { after: WHILE_OUT, reason: Some("PROVIDER_OUT".into()) },
                false => Outcome::Dead { reason: error.reason().into() },
            }
        }
        CallFailure::Own(error) => return Err(error),
    })
}
