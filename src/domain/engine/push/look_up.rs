//! What came of a write whose answer nobody has. It is looked for before it is repeated, because a second one
//! is not harmless.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    attempt::{Attempt, Next, Told},
    lineage::{INTENT_KEY, Seen},
    refused::Denial,
};
use crate::{
    domain::engine::provider_call::{CallFailure, Urgency, Way, calcom},
    error::{Error, Result},
    ids::{IntegrationId, IntentId, TenantId},
    provider::calcom::{Booking, BookingQuery, BookingStatus, CallError, Found},
    store::{intent::Intent, outbox::Outcome},
    words::{IntentKind, IntentState, RefusalCode},
};

/// How long the provider may still be at work on a write whose sender died.
const STILL_AT_WORK: TimeDelta = TimeDelta::seconds(5);
/// Moves of one booking that are followed, at most.
const MOVES: usize = 20;
/// Pages of a slot's bookings that are read, at most.
const PAGES: usize = 4;
/// A booking longer than this is none.
pub(super) const LONGEST: TimeDelta = TimeDelta::hours(24);

/// What a look found.
pub(super) enum Look {
    /// It became true: the bookings that were read, the write's own, and how the line ends.
    Done { seen: Vec<Booking>, result: Option<String> },
    /// It did not.
    NotDone { seen: Vec<Booking> },
    /// Somebody else did something with the booking that this write was about.
    Overtaken { seen: Vec<Booking> },
    /// The provider has no such booking.
    Gone,
}

impl Attempt<'_> {
    pub(super) async fn look_up(&self, intent: Intent) -> Result<Next> {
        let look = match self.look(&intent).await {
            Ok(look) => look,
            Err(failure) => return self.unanswered(&intent, failure).await,
        };
        match look {
            Look::NotDone { .. } | Look::Gone if let Some(code) = refusal_code(&intent) => {
                // Refused, and looked for twice: the refusal stands.
                self.refuse(&intent, Denial::Refused(code)).await
            }
            Look::NotDone { seen } => {
                // A connection that its sender lost does not stop the provider.
                let rest = intent.send_time.map(|sent| sent + STILL_AT_WORK - Utc::now());
                if let Some(Ok(after)) = rest.map(|rest| rest.to_std()) {
                    let reason = Some("OUTCOME_UNKNOWN".to_owned());
                    return Ok(Next::End(Outcome::Release { after, reason }));
                }
                let told =
                    Told { seen: known(&seen), state: IntentState::Recorded, result: None, reason: None };
                self.settle(&intent, &told).await
            }
            look => self.conclude(&intent, look).await,
        }
    }

    /// What a look found, as far as it is certain.
    pub(super) async fn conclude(&self, intent: &Intent, look: Look) -> Result<Next> {
        let told = match look {
            Look::Done { seen, result } => {
                Told { seen: known(&seen), state: IntentState::Done, result, reason: None }
            }
            Look::NotDone { seen } => {
                Told { seen: known(&seen), state: IntentState::Recorded, result: None, reason: None }
            }
            Look::Overtaken { seen } => Told {
                seen: known(&seen),
                state: IntentState::Superseded,
                result: None,
                reason: Some("CHANGED_THERE"),
            },
            Look::Gone if intent.kind == IntentKind::Cancel => Told {
                seen: intent.target_external_id.iter().map(|uid| Seen::gone(uid)).collect(),
                state: IntentState::Done,
                result: None,
                reason: Some("NOT_FOUND"),
            },
            Look::Gone => return self.refuse(intent, Denial::Refused(RefusalCode::NotFound)).await,
        };
        self.settle(intent, &told).await
    }

    pub(super) async fn look(&self, intent: &Intent) -> Result<Look, CallFailure> {
        let asker = Asker { attempt: self, integration: intent.integration_id };
        match (intent.kind, &intent.target_external_id, intent.start_time) {
            (IntentKind::Create, _, Some(start)) => {
                let event_type = intent.external_event_type_id.as_deref().unwrap_or_default();
                let found = asker.made(event_type, start, start + LONGEST, intent.id).await?;
                let Some(made) = found else { return Ok(Look::NotDone { seen: Vec::new() }) };
                let result = Some(made.uid.clone());
                let mut seen = vec![made];
                asker.follow(&mut seen).await?;
                Ok(Look::Done { seen, result })
            }
            (IntentKind::Reschedule, Some(uid), Some(start)) => {
                let Some(mut seen) = asker.line(uid).await? else { return Ok(Look::Gone) };
                let moved = seen.iter().skip(1).find(|booking| booking.start == start);
                let result = moved.map(|booking| booking.uid.clone());
                Ok(match (result, seen.len(), lives(&seen)) {
                    (Some(result), ..) => Look::Done { seen, result: Some(result) },
                    (None, 1, true) => Look::NotDone { seen: std::mem::take(&mut seen) },
                    (None, ..) => Look::Overtaken { seen },
                })
            }
            (IntentKind::Cancel, Some(uid), _) => {
                let Some(seen) = asker.line(uid).await? else { return Ok(Look::Gone) };
                Ok(match (seen.len(), lives(&seen)) {
                    (1, true) => Look::NotDone { seen },
                    (1, false) => Look::Done { seen, result: None },
                    _ => Look::Overtaken { seen },
                })
            }
            (IntentKind::Create | IntentKind::Reschedule | IntentKind::Cancel, ..) => {
                Err(CallFailure::Own(Error::internal("an intent that does not say what it is about")))
            }
        }
    }
}

/// Reads bookings, each by a call of its own.
pub(super) struct Asker<'a> {
    attempt: &'a Attempt<'a>,
    integration: IntegrationId,
}

impl Asker<'_> {
    /// The booking with this uid and those it was moved to, the head last; none if there is no such booking.
    async fn line(&self, uid: &str) -> Result<Option<Vec<Booking>>, CallFailure> {
        let Some(first) = self.read(uid).await? else { return Ok(None) };
        let mut seen = vec![first];
        self.follow(&mut seen).await?;
        Ok(Some(seen))
    }

    /// Adds what the last of them was moved to.
    async fn follow(&self, seen: &mut Vec<Booking>) -> Result<(), CallFailure> {
        while let Some(next) = seen.last().and_then(|last| last.rescheduled_to_uid.clone()) {
            if seen.len() > MOVES {
                break;
            }
            match self.read(&next).await? {
                Some(booking) => seen.push(booking),
                None => break,
            }
        }
        Ok(())
    }

    async fn read(&self, uid: &str) -> Result<Option<Booking>, CallFailure> {
        let uid = uid.to_owned();
        let read = self.attempt.ask(self.integration, |way| async move { booking(&way, &uid).await });
        read.await
    }

    async fn made(
        &self,
        event_type: &str,
        start: DateTime<Utc>,
        end: DateTime<Utc>,
        intent: IntentId,
    ) -> Result<Option<Booking>, CallFailure> {
        let Attempt { domain, tenant, urgency, .. } = *self.attempt;
        made(domain, tenant, self.integration, urgency, (event_type, start, end, intent)).await
    }
}

/// What a create with this name made, if it did: looked for by event type and slot, because there is no
/// filter for metadata, and not by attendee, whose address may be another one today.
pub(super) async fn made(
    domain: &crate::domain::Domain,
    tenant: TenantId,
    integration: IntegrationId,
    urgency: Urgency,
    (event_type, start, end, intent): (&str, DateTime<Utc>, DateTime<Utc>, IntentId),
) -> Result<Option<Booking>, CallFailure> {
    let minute = TimeDelta::minutes(1);
    let mut query = BookingQuery {
        event_type_ids: event_type.parse().into_iter().collect(),
        after_start: Some(start - minute),
        before_end: Some(end + minute),
        take: 250,
        ..BookingQuery::default()
    };
    let name = intent.to_string();
    for _ in 0..PAGES {
        let asked = query.clone();
        let page =
            calcom(
                domain,
                tenant,
                integration,
                urgency,
                |way| async move { way.calcom().bookings(&asked).await },
            )
            .await?;
        // Moves inherit the name: the first of the line is the one that was made.
        let named = |booking: &&Booking| booking.metadata.get(INTENT_KEY) == Some(&name);
        let mut found: Vec<Booking> = page.bookings.iter().filter(named).cloned().collect();
        found.sort_by_key(|booking| (booking.rescheduled_from_uid.is_some(), booking.created_at));
        if let Some(first) = found.into_iter().next() {
            return Ok(Some(first));
        }
        match page.next_skip {
            Some(skip) => query.skip = skip,
            None => break,
        }
    }
    Ok(None)
}

/// One booking; of a series the first.
pub(super) async fn booking(way: &Way, uid: &str) -> Result<Option<Booking>, CallError> {
    let found = way.calcom().booking(uid).await?;
    Ok(found.map(Found::into_bookings).and_then(|bookings| bookings.into_iter().next()))
}

/// Whether the last of the line stands or may come to stand.
fn lives(line: &[Booking]) -> bool {
    line.last().is_some_and(|head| !matches!(head.status, BookingStatus::Cancelled | BookingStatus::Rejected))
}

fn known(bookings: &[Booking]) -> Vec<Seen> {
    bookings.iter().map(Seen::of).collect()
}

/// What was refused, if that is looked into a second time.
fn refusal_code(intent: &Intent) -> Option<RefusalCode> {
    let code: RefusalCode = intent.reason.as_deref()?.parse().ok()?;
    code.may_be_our_own_doing().then_some(code)
}
