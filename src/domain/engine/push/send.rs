//! Sending a recorded write. No transaction is open meanwhile: an answer may take a minute, and our own
//! webhook comes before it.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{
    attempt::{Attempt, Next, Told},
    lineage::Seen,
    order::Order,
    refused::Denial,
};
use crate::{
    domain::{
        consent,
        engine::provider_call::{self, CallFailure, Way},
    },
    error::Result,
    ids::IntegrationId,
    provider::calcom::{Booking, CallError, Class, Found},
    store::intent::Intent,
    words::IntentState,
};

impl Attempt<'_> {
    pub(super) async fn send(&self, intent: Intent, order: Order) -> Result<Next> {
        let integration = intent.integration_id;
        let answer = match order {
            Order::Create(new) => {
                let made =
                    self.ask(integration, |way| async move { way.calcom().create_booking(&new).await });
                made.await.map(Found::into_bookings)
            }
            Order::Reschedule { uid, start, as_host } => {
                let host = match self.host(integration, &uid, as_host).await {
                    Ok(host) => host,
                    Err(failure) => {
                        self.mark(&intent, IntentState::Recorded, "HOST_UNREADABLE").await?;
                        return self.unanswered(&intent, failure).await;
                    }
                };
                self.ask(integration, |way| async move { reschedule(&way, &uid, start, host).await }).await
            }
            Order::Cancel { uid, reason } => {
                let gone = self
                    .ask(integration, |way| async move { way.calcom().cancel_booking(&uid, &reason).await });
                gone.await.map(Found::into_bookings)
            }
        };
        match answer {
            Ok(bookings) => {
                let told = Told {
                    result: bookings.first().map(|booking| booking.uid.clone()),
                    seen: bookings.iter().map(Seen::of).collect(),
                    state: IntentState::Done,
                    reason: None,
                };
                self.settle(&intent, &told).await
            }
            Err(CallFailure::Call(error)) => self.not_done(intent, error).await,
            // The record stays as it is: looked up by the next attempt, it turns out not to have been sent.
            Err(CallFailure::Own(error)) => Err(error),
            Err(failure @ CallFailure::NotNow { reason, .. }) => {
                self.mark(&intent, IntentState::Recorded, reason).await?;
                self.unanswered(&intent, failure).await
            }
            Err(failure @ CallFailure::Credential) => {
                self.mark(&intent, IntentState::Recorded, "CREDENTIAL_REFUSED").await?;
                self.unanswered(&intent, failure).await
            }
            Err(failure @ CallFailure::Consent) => {
                self.mark(&intent, IntentState::Recorded, consent::MISSING).await?;
                self.unanswered(&intent, failure).await
            }
        }
    }

    /// Asks the provider once.
    pub(super) async fn ask<T, F: Future<Output = Result<T, CallError>>>(
        &self,
        integration: IntegrationId,
        call: impl FnOnce(Arc<Way>) -> F,
    ) -> Result<T, CallFailure> {
        provider_call::calcom(self.domain, self.tenant, integration, self.urgency, call).await
    }

    async fn not_done(&self, intent: Intent, error: CallError) -> Result<Next> {
        match (error.class(), error) {
            (_, CallError::Refused(refusal)) => self.refused(intent, refusal).await,
            (Class::Unknown, error) => {
                self.mark(&intent, IntentState::Unknown, error.reason()).await?;
                self.failed(&intent, error.reason()).await
            }
            (Class::Permanent, error) => self.refuse(&intent, Denial::Hopeless(error.reason())).await,
            (Class::Transient | Class::Throttled | Class::Credential, error) => {
                self.mark(&intent, IntentState::Recorded, error.reason()).await?;
                self.failed(&intent, error.reason()).await
            }
        }
    }

    /// The address of the booking's host, in whose name it is moved.
    async fn host(
        &self,
        integration: IntegrationId,
        uid: &str,
        as_host: bool,
    ) -> Result<Option<String>, CallFailure> {
        if !as_host {
            return Ok(None);
        }
        let uid = uid.to_owned();
        let found = self.ask(integration, |way| async move { way.calcom().booking(&uid).await }).await?;
        let bookings = found.map(Found::into_bookings).unwrap_or_default();
        Ok(bookings.into_iter().next().and_then(|booking| booking.hosts.into_iter().next()?.email))
    }
}

async fn reschedule(
    way: &Way,
    uid: &str,
    start: DateTime<Utc>,
    host: Option<String>,
) -> Result<Vec<Booking>, CallError> {
    let moved = way.calcom().reschedule_booking(uid, start, host.as_deref(), None).await?;
    Ok(vec![Booking { rescheduled_from_uid: moved.rescheduled_from_uid.or(Some(uid.to_owned())), ..moved }])
}
