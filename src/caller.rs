//! Who is calling: what the edges found out about a request, and what every room below may rely on.

use crate::{
    ids::{PatientId, PractitionerId, TenantId},
    words::{Origin, Role},
};

/// A caller whose credential was checked.
#[derive(Debug, Clone)]
pub struct Caller {
    pub tenant: TenantId,
    pub role: Role,
    /// Who it is inside the tenant: `api_key|{id}` or `{issuer}|{subject}`.
    pub subject: String,
    /// What an API key of role `service` may do.
    pub scopes: Vec<String>,
    /// The origin of the changes it makes.
    pub origin: Origin,
    /// The stored link of its subject; nobody for most roles.
    pub person: Option<Person>,
}

/// Which person of the practice a subject is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Person {
    Practitioner(PractitionerId),
    Patient(PatientId),
}

impl Caller {
    /// The server itself, working on a tenant's behalf.
    pub fn system(tenant: TenantId) -> Self {
        Self {
            tenant,
            role: Role::System,
            subject: "system".into(),
            scopes: Vec::new(),
            origin: Origin::System,
            person: None,
        }
    }

    /// The practitioner this caller is, if it is one.
    pub fn practitioner(&self) -> Option<PractitionerId> {
        match self.person {
            Some(Person::Practitioner(id)) => Some(id),
            Some(Person::Patient(_)) | None => None,
        }
    }
}
