//! Metadata -> Caller, once around all rpcs: who is calling, and may they? Health and reflection ask for no
//! credential.

use std::{
    sync::Arc,
    task::{Context, Poll},
    thread,
    time::Instant,
};

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use http::{HeaderMap, header::AUTHORIZATION};
use metrics::histogram;
use tonic::{Code, Status};
use tower::{Layer, Service};
use tracing::{Instrument, Span, field::Empty, info_span};

use super::{
    access_rules::{AccessRules, Rule},
    streams::Standing,
};
use crate::{
    caller::{Caller, Person},
    domain::access::{API_KEY_ISSUER, SECRET_PREFIX},
    error::{Error, Refusal, Result},
    gate::Places,
    ids::TenantId,
    issuer::{Identity, Issuers, TokenRefusal},
    store::{Store, resolve::ResolvedApiKey},
    telemetry::metrics::RPC_DURATION,
    vault,
    words::{Origin, Role},
};

/// Puts a checked `Caller` beside every request for an rpc of ours, or answers why not.
///
/// A path without a rule is none of ours and passes untouched: health, reflection,
/// or what ends as UNIMPLEMENTED.
#[derive(Clone)]
pub struct Authenticate {
    gate: Arc<Gate>,
}

/// `Authenticate` around a service.
#[derive(Clone)]
pub struct Authenticated<S> {
    gate: Arc<Gate>,
    inner: S,
}

struct Gate {
    rules: Arc<AccessRules>,
    store: Store,
    issuers: Arc<Issuers>,
    places: Arc<Places>,
}

impl Authenticate {
    /// Keys are looked up in `store` on every call, so that a revoked one ends at once; tokens are checked by
    /// `issuers`. Calls under way share `places` among the tenants.
    pub fn new(rules: Arc<AccessRules>, store: Store, issuers: Arc<Issuers>, places: Arc<Places>) -> Self {
        Self { gate: Arc::new(Gate { rules, store, issuers, places }) }
    }
}

impl<S> Layer<S> for Authenticate {
    type Service = Authenticated<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Authenticated { gate: self.gate.clone(), inner }
    }
}

impl<S, Q, A> Service<http::Request<Q>> for Authenticated<S>
where
    S: Service<http::Request<Q>, Response = http::Response<A>> + Clone + Send + 'static,
    S::Future: Send,
    Q: Send + 'static,
    A: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, std::result::Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<std::result::Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Q>) -> Self::Future {
        // The one that was polled ready serves this request, its clone the next.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let Some(rule) = self.gate.rules.rule(request.uri().path()).cloned() else {
            return Box::pin(inner.call(request));
        };
        let gate = self.gate.clone();
        let mut measured = Measured::start(request.uri().path());
        let span = info_span!("rpc", rpc = measured.rpc, tenant.id = Empty, caller.role = Empty);
        let answer = async move {
            let (mut parts, body) = request.into_parts();
            let admitted = gate.admit(&rule, &parts.headers, Utc::now()).await.and_then(|caller| {
                let place = gate.places.enter(caller.tenant).map_err(|_| Error::Overloaded)?;
                Ok((caller, place))
            });
            let response = match admitted {
                Ok((caller, _place)) => {
                    let standing = standing(gate, rule, &parts.headers, caller.clone());
                    parts.extensions.insert(standing);
                    parts.extensions.insert(caller);
                    inner.call(http::Request::from_parts(parts, body)).await?
                }
                Err(error) => Status::from(error).into_http(),
            };
            measured.end(response.headers());
            Ok(response)
        };
        Box::pin(answer.instrument(span))
    }
}

/// Asks again what was asked when the call came.
fn standing(gate: Arc<Gate>, rule: Rule, headers: &HeaderMap, caller: Caller) -> Standing {
    let credential = headers.get_all(AUTHORIZATION).iter().map(|value| (AUTHORIZATION, value.clone()));
    let asked = Arc::new((gate, rule, credential.collect::<HeaderMap>(), caller));
    Standing(Arc::new(move || {
        let asked = asked.clone();
        Box::pin(async move {
            let (gate, rule, credential, before) = &*asked;
            let caller = gate.admit(rule, credential, Utc::now()).await?;
            Ok((caller.role, caller.person) == (before.role, before.person))
        })
    }))
}

impl Gate {
    async fn admit(&self, rule: &Rule, headers: &HeaderMap, now: DateTime<Utc>) -> Result<Caller> {
        let credential = bearer(headers).map_err(Error::Unauthenticated)?;
        let caller = if credential.starts_with(SECRET_PREFIX) {
            self.holder_of_key(credential, now).await?
        } else {
            self.bearer_of_token(credential, now).await?
        };
        let span = Span::current();
        span.record("tenant.id", tracing::field::display(caller.tenant));
        span.record("caller.role", caller.role.as_str());
        rule.check(&caller)?;
        Ok(caller)
    }

    async fn holder_of_key(&self, secret: &str, now: DateTime<Utc>) -> Result<Caller> {
        let key = self.store.resolve_api_key(&vault::hash(secret.as_bytes())).await?;
        let key = key.ok_or(Error::Unauthenticated(Refusal::ApiKeyUnknown))?;
        check_working(&key, now).map_err(Error::Unauthenticated)?;
        Ok(Caller {
            tenant: key.tenant_id,
            role: key.role,
            subject: format!("{API_KEY_ISSUER}|{}", key.id),
            person: fitting(key.role, key.person()),
            scopes: key.scopes,
            origin: key.origin,
        })
    }

    async fn bearer_of_token(&self, token: &str, now: DateTime<Utc>) -> Result<Caller> {
        let Identity { issuer, subject, tenant_id, role } =
            self.issuers.verify(token, now).await.map_err(refused)?;
        let tenant = TenantId(tenant_id);
        let person = self.store.resolve_subject(tenant, &issuer, &subject).await?;
        let role = Role::from(role);
        Ok(Caller {
            tenant,
            role,
            subject: format!("{issuer}|{subject}"),
            scopes: Vec::new(),
            origin: Origin::Admin,
            // An issuer may be configured for a tenant before there is one.
            person: fitting(role, person.ok_or(Error::Unauthenticated(Refusal::TokenTenantNotAllowed))?),
        })
    }
}

/// The one bearer credential of a request.
fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Refusal::CredentialMissing)?;
    if values.next().is_some() {
        return Err(Refusal::CredentialMalformed);
    }
    let text = value.to_str().map_err(|_| Refusal::CredentialMalformed)?;
    // The scheme's case does not matter (RFC 9110 §11.1).
    let credential = match text.split_once(' ') {
        Some((scheme, credential)) if scheme.eq_ignore_ascii_case("bearer") => credential.trim(),
        _ => return Err(Refusal::CredentialMissing),
    };
    if credential.is_empty() || credential.contains(char::is_whitespace) {
        return Err(Refusal::CredentialMalformed);
    }
    Ok(credential)
}

fn check_working(key: &ResolvedApiKey, now: DateTime<Utc>) -> Result<(), Refusal> {
    if key.revoke_time.is_some() {
        return Err(Refusal::ApiKeyRevoked);
    }
    if key.expire_time.is_some_and(|time| time <= now) {
        return Err(Refusal::ApiKeyExpired);
    }
    Ok(())
}

/// A practitioner is no patient and the other way round: a link to the other kind counts for nothing.
fn fitting(role: Role, person: Option<Person>) -> Option<Person> {
    person.filter(|person| {
        !matches!(
            (role, person),
            (Role::Practitioner, Person::Patient(_)) | (Role::Patient, Person::Practitioner(_))
        )
    })
}

fn refused(refusal: TokenRefusal) -> Error {
    Error::Unauthenticated(match refusal {
        // The caller's token may be fine: worth another try, and no reason to sign in again.
        TokenRefusal::KeysUnavailable => return Error::IssuerUnavailable,
        TokenRefusal::Malformed => Refusal::CredentialMalformed,
        TokenRefusal::AlgorithmNotAllowed => Refusal::TokenAlgorithmNotAllowed,
        TokenRefusal::UnknownIssuer => Refusal::TokenIssuerUnknown,
        TokenRefusal::UnknownKey => Refusal::TokenKeyUnknown,
        TokenRefusal::BadSignature => Refusal::TokenSignatureInvalid,
        TokenRefusal::WrongAudience => Refusal::TokenAudienceWrong,
        TokenRefusal::Expired | TokenRefusal::NoExpiry => Refusal::TokenExpired,
        TokenRefusal::NotYetValid => Refusal::TokenNotYetValid,
        TokenRefusal::TenantNotAllowed => Refusal::TokenTenantNotAllowed,
        TokenRefusal::NoSubject | TokenRefusal::NoRole => Refusal::TokenClaimInvalid,
    })
}

/// Records an rpc's duration when it ends, also when its caller is gone or a time limit cut it off.
struct Measured {
    /// As in `stellwerk.v1.PatientService/GetPatient`.
    rpc: String,
    start: Instant,
    code: Code,
}

impl Measured {
    fn start(path: &str) -> Self {
        Self { rpc: path.trim_start_matches('/').into(), start: Instant::now(), code: Code::Cancelled }
    }

    /// A failed call's answer is headers alone; a status in trailers belongs to a stream that began well.
    fn end(&mut self, headers: &HeaderMap) {
        self.code = headers.get("grpc-status").map_or(Code::Ok, |status| Code::from_bytes(status.as_bytes()));
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        let code = if thread::panicking() { Code::Internal } else { self.code };
        histogram!(RPC_DURATION, "rpc" => std::mem::take(&mut self.rpc), "code" => code_name(code))
            .record(self.start.elapsed());
    }
}

fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{PatientId, PractitionerId};

    fn headers(values: &[&[u8]]) -> HeaderMap {
        let values =
            values.iter().map(|value| (AUTHORIZATION, http::HeaderValue::from_bytes(value).unwrap()));
        values.fold(HeaderMap::new(), |mut headers, (name, value)| {
            headers.append(name, value);
            headers
        })
    }

    #[test]
    fn one_bearer_is_read_whatever_the_schemes_case() {
        for text in ["Bearer a.b.c", "bearer a.b.c", "BEARER  a.b.c"] {
            assert_eq!(bearer(&headers(&[text.as_bytes()])), Ok("a.b.c"), "{text}");
        }
    }

    #[test]
    fn what_is_no_bearer_is_missing() {
        let several: [&[&[u8]]; 5] = [&[], &[b""], &[b"Bearer"], &[b"Basic dTpw"], &[b"swk_12345678_x"]];
        for values in several {
            assert_eq!(bearer(&headers(values)), Err(Refusal::CredentialMissing), "{values:?}");
        }
    }

    #[test]
    fn a_bearer_that_is_doubled_empty_or_no_text_is_malformed() {
        let several: [&[&[u8]]; 4] =
            [&[b"Bearer a", b"Bearer a"], &[b"Bearer "], &[b"Bearer a, Bearer b"], &[b"Bearer \xff"]];
        for values in several {
            assert_eq!(bearer(&headers(values)), Err(Refusal::CredentialMalformed), "{values:?}");
        }
    }

    #[test]
    fn a_link_to_the_other_kind_of_person_counts_for_nothing() {
        let practitioner = Some(Person::Practitioner(PractitionerId::new()));
        let patient = Some(Person::Patient(PatientId::new()));

        assert_eq!(
            (fitting(Role::Practitioner, patient), fitting(Role::Patient, practitioner)),
            (None, None)
        );
        assert_eq!(fitting(Role::Practitioner, practitioner), practitioner);
        assert_eq!(fitting(Role::Admin, practitioner), practitioner);
    }

    #[test]
    fn only_missing_keys_leave_a_token_in_doubt() {
        assert!(matches!(refused(TokenRefusal::KeysUnavailable), Error::IssuerUnavailable));
        assert!(matches!(refused(TokenRefusal::NoExpiry), Error::Unauthenticated(Refusal::TokenExpired)));
    }
}
