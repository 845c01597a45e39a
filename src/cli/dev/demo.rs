//! The demo tenant: made once, remembered in the data folder with its secrets,
//! so that the next start finds its data.

use std::{fs, io, path::Path};

use chrono::Utc;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::is_gone;
use crate::{
    caller::Caller,
    cli::{Failure, database::write_private},
    domain::{
        Domain,
        access::{self, ApiKeySpec},
        idempotency::Key,
        patient::{self, Newcomer},
        webhook::{self, NewEndpoint},
    },
    ids::{PatientId, TenantId, WebhookEndpointId},
    provider::booking_tool,
    words::{Origin, Role, SignatureScheme},
};

/// The one that a line of shell can sign.
const SCHEME: SignatureScheme = SignatureScheme::Legacy;

/// What the file holds; only its owner can read it.
#[derive(Serialize, Deserialize)]
pub(super) struct Demo {
    pub(super) tenant_id: TenantId,
    pub(super) admin_key: String,
    pub(super) webhook_endpoint_id: WebhookEndpointId,
    /// The address without host and port, which may change between starts.
    pub(super) webhook_path: String,
    pub(super) webhook_secret: String,
    /// Somebody to book for.
    #[serde(default)]
    pub(super) patient_id: Option<PatientId>,
    /// The phone assistant's key.
    #[serde(default)]
    pub(super) phone_key: Option<String>,
}

impl Demo {
    /// The remembered tenant if this database has it, else a new one.
    pub(super) async fn find_or_make(domain: &Domain, data_dir: &Path) -> Result<Self, Failure> {
        let path = data_dir.join("demo.json");
        if let Some(demo) = Self::read(&path)? {
            match access::get_settings(domain, &Caller::system(demo.tenant_id)).await {
                Ok(_) => return Ok(demo),
                Err(error) if is_gone(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let demo = Self::make(domain).await?;
        let text = serde_json::to_string_pretty(&demo).map_err(|error| Failure::failed(&error))?;
        fs::create_dir_all(data_dir).map_err(|error| unusable(&path, &error))?;
        write_private(&path, &text)?;
        Ok(demo)
    }

    fn read(path: &Path) -> Result<Option<Self>, Failure> {
        match fs::read_to_string(path) {
            Ok(text) => serde_json::from_str(&text).map(Some).map_err(|error| unusable(path, &error.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unusable(path, &error)),
        }
    }

    async fn make(domain: &Domain) -> Result<Self, Failure> {
        let lost = || Failure::refused_because("a secret of the demo tenant was not shown");
        let house = Caller::system(TenantId::HOUSE);
        let unrepeated = Key::new("CreateTenant", "", b"");
        let tenant = access::create_tenant(domain, &house, &unrepeated, "demo", "Europe/Berlin").await?;
        let caller = Caller::system(tenant.tenant.id);
        let new = NewEndpoint {
            provider: booking_tool::PROVIDER.into(),
            integration: None,
            name: "demo booking tool".into(),
            scheme: Some(SCHEME),
            secret: None,
            limit_per_minute: None,
        };
        let unrepeated = Key::new("CreateWebhookEndpoint", "", b"");
        let (endpoint, secret) =
            webhook::create_endpoint(domain, &caller, &unrepeated, new, Utc::now()).await?;
        let path = endpoint.url.strip_prefix(&domain.public_url).unwrap_or(&endpoint.url);
        let newcomer = Newcomer {
            first_name: "Erika".into(),
            last_name: "Muster".into(),
            email: Some("erika.muster@example.org".into()),
            ..Newcomer::default()
        };
        let unrepeated = Key::new("CreatePatient", "", b"");
        let patient = patient::create(domain, &caller, &unrepeated, newcomer, None).await?;
        let spec = ApiKeySpec {
            name: "phone assistant".into(),
            role: Role::Service,
            scopes: vec!["appointments:read".into(), "appointments:write".into()],
            origin: Some(Origin::Retell),
            expire_time: None,
        };
        let unrepeated = Key::new("CreateApiKey", "", b"");
        let scopes = spec.scopes.clone();
        let phone = access::create_api_key(domain, &caller, &unrepeated, &spec, &scopes, Utc::now()).await?;
        Ok(Self {
            patient_id: Some(patient.patient.id),
            phone_key: phone.secret.map(|secret| secret.expose_secret().into()),
            tenant_id: tenant.tenant.id,
            admin_key: tenant.secret.ok_or_else(lost)?.expose_secret().into(),
            webhook_endpoint_id: endpoint.endpoint.id,
            webhook_path: path.into(),
            webhook_secret: secret.ok_or_else(lost)?.expose_secret().into(),
        })
    }
}

fn unusable(path: &Path, error: &io::Error) -> Failure {
    Failure::refused_because(format!("{} cannot be used: {error}", path.display()))
}
