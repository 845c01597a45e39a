//! AccessService.

use std::sync::Arc;

use chrono::Utc;
use secrecy::ExposeSecret;
use tonic::{Request, Response, Status};

use super::{
    access_rules::AccessRules,
    checked,
    convert::{duration, origin, role, seconds, text, time, timestamp},
    id, key, optional_id, paging, unchecked,
};
use crate::{
    caller::Person,
    domain::{
        Domain,
        access::{self, ApiKeySpec},
    },
    error::{Error, Result},
    proto::{
        self, CreateApiKeyRequest, CreateApiKeyResponse, CreateTenantRequest, CreateTenantResponse,
        GetTenantSettingsRequest, GetTenantSettingsResponse, LinkSubjectRequest, LinkSubjectResponse,
        ListApiKeysRequest, ListApiKeysResponse, ListPractitionersRequest, ListPractitionersResponse,
        ListServicesRequest, ListServicesResponse, ListSubjectsRequest, ListSubjectsResponse,
        PutPractitionerRequest, PutPractitionerResponse, PutServiceRequest, PutServiceResponse,
        RevokeApiKeyRequest, RevokeApiKeyResponse, UnlinkSubjectRequest, UnlinkSubjectResponse,
        UpdateTenantSettingsRequest, UpdateTenantSettingsResponse, access_service_server::AccessService,
        link_subject_request,
    },
    store::{
        api_key::ApiKey,
        practitioner::{Practitioner, PractitionerFields},
        service::{Service, ServiceFields},
        subject_link::SubjectLink,
        tenant::Tenant,
    },
};

mod settings;

/// Answers AccessService.
#[derive(Clone)]
pub struct AccessApi {
    domain: Domain,
    /// Every scope that an rpc asks for.
    scopes: Arc<[String]>,
}

impl AccessApi {
    /// `rules` tell which scopes a service key may have.
    pub fn new(domain: Domain, rules: &AccessRules) -> Self {
        Self { domain, scopes: rules.all().filter_map(|(_, rule)| rule.scope.clone()).collect() }
    }
}

#[tonic::async_trait]
impl AccessService for AccessApi {
    async fn create_tenant(
        &self,
        request: Request<CreateTenantRequest>,
    ) -> Result<Response<CreateTenantResponse>, Status> {
        let (caller, message) = checked(request)?;
        let key = key(&message.idempotency_key, &message);
        let created =
            access::create_tenant(&self.domain, &caller, &key, &message.name, &message.time_zone).await?;
        Ok(Response::new(CreateTenantResponse {
            tenant: Some((&created.tenant).into()),
            admin_api_key: Some(created.admin_key.into()),
            admin_api_key_secret: shown(created.secret),
        }))
    }

    async fn get_tenant_settings(
        &self,
        request: Request<GetTenantSettingsRequest>,
    ) -> Result<Response<GetTenantSettingsResponse>, Status> {
        let (caller, _) = unchecked(request)?;
        let tenant = access::get_settings(&self.domain, &caller).await?;
        Ok(Response::new(GetTenantSettingsResponse { settings: Some(tenant.into()) }))
    }

    async fn update_tenant_settings(
        &self,
        request: Request<UpdateTenantSettingsRequest>,
    ) -> Result<Response<UpdateTenantSettingsResponse>, Status> {
        let (caller, message) = checked(request)?;
        let key = key(&message.idempotency_key, &message);
        let change = settings::change(message)?;
        let tenant = access::update_settings(&self.domain, &caller, &key, &change).await?;
        Ok(Response::new(UpdateTenantSettingsResponse { settings: Some(tenant.into()) }))
    }

    async fn link_subject(
        &self,
        request: Request<LinkSubjectRequest>,
    ) -> Result<Response<LinkSubjectResponse>, Status> {
        let (caller, message) = checked(request)?;
        let key = key(&message.idempotency_key, &message);
        let person = person(message.person)?;
        let link =
            access::link_subject(&self.domain, &caller, &key, &message.issuer, &message.subject, person)
                .await?;
        Ok(Response::new(LinkSubjectResponse { subject_link: Some(link.into()) }))
    }

    async fn unlink_subject(
        &self,
        request: Request<UnlinkSubjectRequest>,
    ) -> Result<Response<UnlinkSubjectResponse>, Status> {
        let (caller, message) = checked(request)?;
        let key = key(&message.idempotency_key, &message);
        let id = id("subject_link_id", &message.subject_link_id)?;
        access::unlink_subject(&self.domain, &caller, &key, id).await?;
        Ok(Response::new(UnlinkSubjectResponse {}))
    }

    async fn list_subjects(
        &self,
        request: Request<ListSubjectsRequest>,
    ) -> Result<Response<ListSubjectsResponse>, Status> {
        let (caller, message) = checked(request)?;
        let (tokens, page) = paging(&self.domain, &caller, &message)?;
        let found = access::list_subjects(&self.domain, &caller, &page).await?;
        Ok(Response::new(ListSubjectsResponse {
            subject_links: found.rows.into_iter().map(Into::into).collect(),
            next_page_token: tokens.next(found.next)?,
        }))
    }

    async fn create_api_key(
        &self,
        request: Request<CreateApiKeyRequest>,
    ) -> Result<Response<CreateApiKeyResponse>, Status> {
        let (caller, message) = checked(request)?;
        let key = key(&message.idempotency_key, &message);
        let spec = api_key_spec(message)?;
        let created =
            access::create_api_key(&self.domain, &caller, &key, &spec, &self.scopes, Utc::now()).await?;
        let secret = shown(created.secret);
        Ok(Response::new(CreateApiKeyResponse { api_key: Some(created.key.into()), secret }))
    }

    async fn list_api_keys(
        &self,
        request: Request<ListApiKeysRequest>,
    ) -> Result<Response<ListApiKeysResponse>, Status> {
        let (caller, message) = checked(request)?;
        let (tokens, page) = paging(&self.domain, &caller, &message)?;
        let found = access::list_api_keys(&self.domain, &caller, &page).await?;
        Ok(Response::new(ListApiKeysResponse {
            api_keys: found.rows.into_iter().map(Into::into).collect(),
            next_page_token: tokens.next(found.next)?,
        }))
    }

    async fn revoke_api_key(
        &self,
        request: Request<RevokeApiKeyRequest>,
    ) -> Result<Response<RevokeApiKeyResponse>, Status> {
        let (caller, message) = checked(request)?;
        let key = key(&message.idempotency_key, &message);
        let id = id("api_key_id", &message.api_key_id)?;
        let revoked = access::revoke_api_key(&self.domain, &caller, &key, id).await?;
        Ok(Response::new(RevokeApiKeyResponse { api_key: Some(revoked.into()) }))
    }

    async fn list_services(
        &self,
        request: Request<ListServicesRequest>,
    ) -> Result<Response<ListServicesResponse>, Status> {
        let (caller, message) = checked(request)?;
        let (tokens, page) = paging(&self.domain, &caller, &message)?;
        let found = access::list_services(&self.domain, &caller, &page).await?;
        Ok(Response::new(ListServicesResponse {
            services: found.rows.into_iter().map(Into::into).collect(),
            next_page_token: tokens.next(found.next)?,
        }))
    }

    async fn put_service(
        &self,
        request: Request<PutServiceRequest>,
    ) -> Result<Response<PutServiceResponse>, Status> {
        let (caller, message) = checked(request)?;
        let key = key(&message.idempotency_key, &message);
        let id = optional_id("service_id", &message.service_id)?;
        let service = access::put_service(&self.domain, &caller, &key, id, service_fields(message)?).await?;
        Ok(Response::new(PutServiceResponse { service: Some(service.into()) }))
    }

    async fn list_practitioners(
        &self,
        request: Request<ListPractitionersRequest>,
    ) -> Result<Response<ListPractitionersResponse>, Status> {
        let (caller, message) = checked(request)?;
        let (tokens, page) = paging(&self.domain, &caller, &message)?;
        let found = access::list_practitioners(&self.domain, &caller, &page).await?;
        Ok(Response::new(ListPractitionersResponse {
            practitioners: found.rows.into_iter().map(Into::into).collect(),
            next_page_token: tokens.next(found.next)?,
        }))
    }

    async fn put_practitioner(
        &self,
        request: Request<PutPractitionerRequest>,
    ) -> Result<Response<PutPractitionerResponse>, Status> {
        let (caller, message) = checked(request)?;
        let key = key(&message.idempotency_key, &message);
        let id = optional_id("practitioner_id", &message.practitioner_id)?;
        let fields = practitioner_fields(message);
        let practitioner =
            access::put_practitioner(&self.domain, &caller, &key, id, fields, Utc::now()).await?;
        Ok(Response::new(PutPractitionerResponse { practitioner: Some(practitioner.into()) }))
    }
}

fn shown(secret: Option<secrecy::SecretString>) -> String {
    secret.map(|secret| secret.expose_secret().to_string()).unwrap_or_default()
}

fn person(person: Option<link_subject_request::Person>) -> Result<Person> {
    use link_subject_request::Person as Wire;
    match person {
        Some(Wire::PractitionerId(text)) => Ok(Person::Practitioner(id("practitioner_id", &text)?)),
        Some(Wire::PatientId(text)) => Ok(Person::Patient(id("patient_id", &text)?)),
        None => Err(Error::invalid("person", "is required")),
    }
}

fn api_key_spec(message: CreateApiKeyRequest) -> Result<ApiKeySpec> {
    Ok(ApiKeySpec {
        role: role("role", message.role())?,
        origin: origin(message.origin()),
        name: message.name,
        scopes: message.scopes,
        expire_time: message.expire_time.map(|at| time("expire_time", at)).transpose()?,
    })
}

fn service_fields(message: PutServiceRequest) -> Result<ServiceFields> {
    let span = |field, span: Option<_>| span.map_or(Ok(0), |span| seconds(field, span));
    Ok(ServiceFields {
        duration_s: span("duration", message.duration)?,
        buffer_before_s: span("buffer_before", message.buffer_before)?,
        buffer_after_s: span("buffer_after", message.buffer_after)?,
        name: message.name,
        aliases: message.aliases,
        archived: message.archived,
    })
}

impl From<&Tenant> for proto::Tenant {
    fn from(tenant: &Tenant) -> Self {
        Self {
            tenant_id: tenant.id.to_string(),
            name: tenant.name.clone(),
            create_time: Some(timestamp(tenant.create_time)),
        }
    }
}

impl From<SubjectLink> for proto::SubjectLink {
    fn from(link: SubjectLink) -> Self {
        Self {
            subject_link_id: link.id.to_string(),
            issuer: link.issuer,
            subject: link.subject,
            practitioner_id: text(link.practitioner_id),
            patient_id: text(link.patient_id),
            create_time: Some(timestamp(link.create_time)),
        }
    }
}

impl From<ApiKey> for proto::ApiKey {
    fn from(key: ApiKey) -> Self {
        Self {
            api_key_id: key.id.to_string(),
            name: key.name,
            prefix: key.prefix,
            role: proto::Role::from(key.role).into(),
            scopes: key.scopes,
            origin: proto::SyncOrigin::from(key.origin).into(),
            create_time: Some(timestamp(key.create_time)),
            expire_time: key.expire_time.map(timestamp),
            revoke_time: key.revoke_time.map(timestamp),
            last_use_time: key.last_use_time.map(timestamp),
        }
    }
}

impl From<Service> for proto::Service {
    fn from(service: Service) -> Self {
        Self {
            service_id: service.id.to_string(),
            name: service.name,
            aliases: service.aliases,
            duration: Some(duration(service.duration_s)),
            buffer_before: Some(duration(service.buffer_before_s)),
            buffer_after: Some(duration(service.buffer_after_s)),
            archived: service.archived,
        }
    }
}

impl From<Practitioner> for proto::Practitioner {
    fn from(practitioner: Practitioner) -> Self {
        Self {
            practitioner_id: practitioner.id.to_string(),
            name: practitioner.name,
            aliases: practitioner.aliases,
            archived: practitioner.archived,
            email: practitioner.email.unwrap_or_default(),
        }
    }
}

fn practitioner_fields(message: PutPractitionerRequest) -> PractitionerFields {
    PractitionerFields {
        name: message.name,
        aliases: message.aliases,
        archived: message.archived,
        email: Some(message.email),
    }
}
