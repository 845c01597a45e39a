//! The gRPC edge: parse, call one verb, convert.

use prost::{Message, Name};
use prost_protovalidate::Validate;
use tonic::Request;

use crate::{
    caller::Caller,
    domain::idempotency,
    error::{Error, Result, Violation},
};

pub mod access_rules;
pub mod caller;
pub mod streams;

mod access;
mod alerts;
mod appointments;
mod convert;
mod integrations;
mod listing;
mod mask;
mod onboarding;
mod patient_imports;
mod patients;
mod planning;
mod privacy;
mod reviews;
mod sync_logs;
mod texts;
mod webhooks;

pub use access::AccessApi;
pub use alerts::AlertApi;
pub use appointments::AppointmentApi;
pub use integrations::IntegrationApi;
pub use onboarding::OnboardingApi;
pub use patients::PatientApi;
pub use planning::PlanningApi;
pub use privacy::PrivacyApi;
pub use reviews::ReviewApi;
pub use sync_logs::SyncLogApi;
pub use webhooks::WebhookApi;

use listing::paging;

/// The caller that `caller::Authenticate` put beside the request, and the message.
fn unchecked<T>(request: Request<T>) -> Result<(Caller, T)> {
    let (_, mut extensions, message) = request.into_parts();
    let caller = extensions
        .remove::<Caller>()
        .ok_or_else(|| Error::internal("a call reached its handler without a caller"))?;
    Ok((caller, message))
}

/// The same, with the proto's field rules checked. Errors: `Invalid` with every field that does not fit.
fn checked<T: Validate + Message + Name>(request: Request<T>) -> Result<(Caller, T)> {
    let (caller, message) = unchecked(request)?;
    let mut violations = texts::with_nul(&message)?;
    if let Err(error) = message.validate() {
        violations.extend(error.violations().iter().map(|violation| {
            let text = violation.message();
            // Well-known formats come without a text of their own.
            let description = match text.is_empty() {
                true => format!("must be a valid {}", violation.rule_id()),
                false => text.into(),
            };
            Violation { field: violation.field_path(), description }
        }));
    }
    if violations.is_empty() { Ok((caller, message)) } else { Err(Error::Invalid(violations)) }
}

/// A required id; the field rules have seen that it is a UUID.
fn id<T: std::str::FromStr>(field: &str, text: &str) -> Result<T> {
    text.parse().map_err(|_| Error::invalid(field, "must be a UUID"))
}

/// An id that may be left out.
fn optional_id<T: std::str::FromStr>(field: &str, text: &str) -> Result<Option<T>> {
    if text.is_empty() { Ok(None) } else { id(field, text).map(Some) }
}

/// The rpc that takes this request: buf's STANDARD rules have every rpc's request named after it.
fn rpc<R: Name>() -> &'static str {
    R::NAME.strip_suffix("Request").unwrap_or(R::NAME)
}

/// The idempotency key of a write, bound to its rpc and request.
fn key<R: Message + Name>(key: &str, request: &R) -> idempotency::Key {
    idempotency::Key::new(rpc::<R>(), key, &request.encode_to_vec())
}
