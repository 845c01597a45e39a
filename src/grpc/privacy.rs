//! PrivacyService.

use chrono::Utc;
use tonic::{Request, Response, Status};

use super::{
    checked,
    convert::{text, timestamp},
    id, key, optional_id, paging,
};
use crate::{
    domain::{
        Domain,
        consent::{self, NewConsent, Whence},
    },
    error::{Error, Result},
    network::Network,
    peer::{Peer, sender},
    proto::{self, privacy_service_server::PrivacyService},
    store::consent::{Consent, Filter},
    words::ConsentScope,
};

pub struct PrivacyApi {
    domain: Domain,
    /// The proxies whose word on a caller's address counts.
    trusted_proxies: Vec<Network>,
}

impl PrivacyApi {
    pub fn new(domain: Domain, trusted_proxies: Vec<Network>) -> Self {
        Self { domain, trusted_proxies }
    }

    /// Where a call came from, as far as it can be believed.
    fn whence<T>(&self, request: &Request<T>) -> Whence {
        let headers = request.metadata().clone().into_headers();
        let peer = request.extensions().get::<Peer>();
        Whence {
            address: peer.map(|Peer(connected)| sender(connected.ip(), &headers, &self.trusted_proxies)),
            user_agent: headers
                .get(http::header::USER_AGENT)
                .and_then(|name| name.to_str().ok())
                .map(Into::into),
        }
    }
}

#[tonic::async_trait]
impl PrivacyService for PrivacyApi {
    async fn grant_consent(
        &self,
        request: Request<proto::GrantConsentRequest>,
    ) -> Result<Response<proto::GrantConsentResponse>, Status> {
        let whence = self.whence(&request);
        let (caller, request) = checked(request)?;
        let key = key(&request.idempotency_key, &request);
        let new = NewConsent {
            integration: id("integration_id", &request.integration_id)?,
            patient: optional_id("patient_id", &request.patient_id)?,
            scopes: request.scopes().map(scope).collect::<Option<_>>().ok_or_else(unknown_scope)?,
            text_version: request.text_version,
        };
        let kept = consent::grant(&self.domain, &caller, &key, new, whence, Utc::now()).await?;
        Ok(Response::new(proto::GrantConsentResponse { consent: Some(kept.into()) }))
    }

    async fn revoke_consent(
        &self,
        request: Request<proto::RevokeConsentRequest>,
    ) -> Result<Response<proto::RevokeConsentResponse>, Status> {
        let (caller, request) = checked(request)?;
        let key = key(&request.idempotency_key, &request);
        let of = id("consent_id", &request.consent_id)?;
        let revoked = consent::revoke(&self.domain, &caller, &key, of, Utc::now()).await?;
        Ok(Response::new(proto::RevokeConsentResponse { consent: Some(revoked.into()) }))
    }

    async fn list_consents(
        &self,
        request: Request<proto::ListConsentsRequest>,
    ) -> Result<Response<proto::ListConsentsResponse>, Status> {
        let (caller, request) = checked(request)?;
        let (tokens, page) = paging(&self.domain, &caller, &request)?;
        let filter = Filter {
            integration: optional_id("integration_id", &request.integration_id)?,
            patient: optional_id("patient_id", &request.patient_id)?,
            living_only: request.living_only,
        };
        let paged = consent::list(&self.domain, &caller, &filter, &page).await?;
        Ok(Response::new(proto::ListConsentsResponse {
            next_page_token: tokens.next(paged.next)?,
            consents: paged.rows.into_iter().map(Into::into).collect(),
        }))
    }
}

fn scope(scope: proto::ConsentScope) -> Option<ConsentScope> {
    match scope {
        proto::ConsentScope::Unspecified => None,
        proto::ConsentScope::Appointments => Some(ConsentScope::Appointments),
        proto::ConsentScope::Planning => Some(ConsentScope::Planning),
        proto::ConsentScope::Absences => Some(ConsentScope::Absences),
        proto::ConsentScope::TimeEntries => Some(ConsentScope::TimeEntries),
    }
}

fn unknown_scope() -> Error {
    Error::invalid("scopes", "must be scopes of this version")
}

impl From<ConsentScope> for proto::ConsentScope {
    fn from(scope: ConsentScope) -> Self {
        match scope {
            ConsentScope::Appointments => Self::Appointments,
            ConsentScope::Planning => Self::Planning,
            ConsentScope::Absences => Self::Absences,
            ConsentScope::TimeEntries => Self::TimeEntries,
        }
    }
}

impl From<Consent> for proto::Consent {
    fn from(row: Consent) -> Self {
        Self {
            consent_id: row.id.to_string(),
            integration_id: row.integration_id.to_string(),
            patient_id: row.patient_id.map(|id| id.to_string()).unwrap_or_default(),
            subject: row.subject,
            scopes: row.scopes.into_iter().map(|scope| proto::ConsentScope::from(scope).into()).collect(),
            text_version: row.text_version,
            address: text(row.address),
            user_agent: text(row.user_agent),
            grant_time: Some(timestamp(row.grant_time)),
            revoke_time: row.revoke_time.map(timestamp),
            revoker: text(row.revoker),
        }
    }
}
