//! Narrow functions that turn a presented secret into a tenant.
//! They run outside any tenant and show one answer for one secret.

use chrono::{DateTime, Utc};
use diesel::{
    QueryableByName, sql_query,
    sql_types::{Array, Binary, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::{Cached, Store};
use crate::{
    caller::Person,
    error::Result,
    ids::{ApiKeyId, AuthorizationId, IntegrationId, PatientId, PractitionerId, TenantId, WebhookEndpointId},
    vault::WrappedTenantKey,
    words::{Origin, Role, SignatureScheme},
};

/// What an API key stands for.
#[derive(Debug, QueryableByName)]
pub struct ResolvedApiKey {
    #[diesel(sql_type = SqlUuid)]
    pub tenant_id: TenantId,
    #[diesel(sql_type = SqlUuid)]
    pub id: ApiKeyId,
    #[diesel(sql_type = Text)]
    pub role: Role,
    #[diesel(sql_type = Array<Text>)]
    pub scopes: Vec<String>,
    #[diesel(sql_type = Text)]
    pub origin: Origin,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub expire_time: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub revoke_time: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    practitioner_id: Option<PractitionerId>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    patient_id: Option<PatientId>,
}

/// What an endpoint's address stands for.
#[derive(Debug, QueryableByName)]
pub struct ResolvedEndpoint {
    #[diesel(sql_type = SqlUuid)]
    pub tenant_id: TenantId,
    #[diesel(sql_type = SqlUuid)]
    pub id: WebhookEndpointId,
    #[diesel(sql_type = SqlUuid)]
    pub integration_id: IntegrationId,
    #[diesel(sql_type = Text)]
    pub provider: String,
    #[diesel(sql_type = Text)]
    pub scheme: SignatureScheme,
    #[diesel(sql_type = Integer)]
    pub limit_per_minute: i32,
    /// What the address began with when it was given out.
    #[diesel(sql_type = Nullable<Text>)]
    pub base_url: Option<String>,
    #[diesel(sql_type = SqlUuid)]
    tenant_key_id: Uuid,
    #[diesel(sql_type = Text)]
    root_key_id: String,
    #[diesel(sql_type = Binary)]
    wrapped_tenant_key: Vec<u8>,
    #[diesel(sql_type = Array<SqlUuid>)]
    pub secret_ids: Vec<Uuid>,
    #[diesel(sql_type = Array<Binary>)]
    pub sealed_secrets: Vec<Vec<u8>>,
}

/// An integration that has an account at a provider.
#[derive(Debug, QueryableByName)]
pub struct ResolvedAccount {
    #[diesel(sql_type = Text)]
    pub account_id: String,
    #[diesel(sql_type = SqlUuid)]
    pub tenant_id: TenantId,
    #[diesel(sql_type = SqlUuid)]
    pub integration_id: IntegrationId,
}

/// Whose attempt a returning browser's `state` stands for.
#[derive(Debug, Clone, Copy, QueryableByName)]
pub struct ResolvedAuthorization {
    #[diesel(sql_type = SqlUuid)]
    pub tenant_id: TenantId,
    #[diesel(sql_type = SqlUuid)]
    pub id: AuthorizationId,
}

#[derive(QueryableByName)]
struct SubjectRow {
    #[diesel(sql_type = Nullable<SqlUuid>)]
    practitioner_id: Option<PractitionerId>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    patient_id: Option<PatientId>,
}

impl ResolvedApiKey {
    /// The stored link of the key's subject.
    pub fn person(&self) -> Option<Person> {
        person(self.practitioner_id, self.patient_id)
    }
}

impl ResolvedEndpoint {
    /// The tenant's data key as it is kept.
    pub fn tenant_key(&self) -> WrappedTenantKey {
        WrappedTenantKey {
            id: self.tenant_key_id,
            root_key_id: self.root_key_id.clone(),
            wrapped_key: self.wrapped_tenant_key.clone(),
        }
    }
}

impl Store {
    /// The API key whose secret has this SHA-256.
    pub async fn resolve_api_key(&self, hash: &[u8]) -> Result<Option<ResolvedApiKey>> {
        let mut conn = self.connection().await?;
        let query = sql_query("SELECT * FROM stellwerk_resolve_api_key($1)").bind::<Binary, _>(hash);
        Ok(Cached(query).load(&mut *conn).await?.pop())
    }

    /// Whom a subject of an issuer is linked to; `None` when there is no such tenant.
    pub async fn resolve_subject(
        &self,
        tenant: TenantId,
        issuer: &str,
        subject: &str,
    ) -> Result<Option<Option<Person>>> {
        let mut conn = self.connection().await?;
        let query = sql_query("SELECT * FROM stellwerk_resolve_subject($1, $2, $3)")
            .bind::<SqlUuid, _>(tenant)
            .bind::<Text, _>(issuer)
            .bind::<Text, _>(subject);
        let row: Option<SubjectRow> = Cached(query).load(&mut *conn).await?.pop();
        Ok(row.map(|row| person(row.practitioner_id, row.patient_id)))
    }

    /// The integrations that have one of these accounts at a provider, which a verified delivery named.
    pub async fn resolve_accounts(
        &self,
        provider: &str,
        accounts: &[String],
    ) -> Result<Vec<ResolvedAccount>> {
        let mut conn = self.connection().await?;
        let query = sql_query("SELECT * FROM stellwerk_resolve_account($1, $2)")
            .bind::<Text, _>(provider)
            .bind::<Array<Text>, _>(accounts);
        Ok(Cached(query).load(&mut *conn).await?)
    }

    /// The endpoint whose address has this SHA-256, with the secrets that are valid now.
    pub async fn resolve_endpoint(&self, hash: &[u8]) -> Result<Option<ResolvedEndpoint>> {
        let mut conn = self.connection().await?;
        let query = sql_query("SELECT * FROM stellwerk_resolve_endpoint($1)").bind::<Binary, _>(hash);
        Ok(Cached(query).load(&mut *conn).await?.pop())
    }

    /// The attempt whose `state` has this SHA-256, however old or far it is.
    pub async fn resolve_authorization(&self, hash: &[u8]) -> Result<Option<ResolvedAuthorization>> {
        let mut conn = self.connection().await?;
        let query = sql_query("SELECT * FROM stellwerk_resolve_authorization($1)").bind::<Binary, _>(hash);
        Ok(Cached(query).load(&mut *conn).await?.pop())
    }
}

fn person(practitioner: Option<PractitionerId>, patient: Option<PatientId>) -> Option<Person> {
    practitioner.map(Person::Practitioner).or(patient.map(Person::Patient))
}
