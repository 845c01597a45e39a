//! Which practitioner or patient a signed-in subject is.

use crate::{
    caller::{Caller, Person},
    domain::{
        Domain,
        idempotency::{Claim, Key, claim},
        patient::check_unmerged,
    },
    error::{Error, Noun, Result},
    ids::{ApiKeyId, SubjectLinkId},
    page::{Page, Paged},
    store::{self, TenantTx, subject_link::SubjectLink},
};

/// The issuer of subjects that are API keys.
pub const API_KEY_ISSUER: &str = "api_key";

/// Says whom a subject is; an API key is named by its id.
///
/// Errors: `Invalid`, `NotFound` for the person, `PatientMerged`, `SubjectAlreadyLinked`,
/// `IdempotencyKeyReused`.
pub async fn link_subject(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    issuer: &str,
    subject: &str,
    person: Person,
) -> Result<SubjectLink> {
    exact("issuer", issuer)?;
    exact("subject", subject)?;
    let mut tx = domain.store.caller(caller).await?;
    let id = SubjectLinkId::new();
    let link = match claim(&mut tx, caller, key, id).await? {
        Claim::Repeat(id) => store::subject_link::find(&mut tx, SubjectLinkId(id)).await?,
        Claim::First => {
            if let Person::Patient(patient) = person {
                let patient = store::patient::find_for_update(&mut tx, patient).await?;
                check_unmerged(&mut tx, &patient).await?;
            }
            let subject = match issuer {
                API_KEY_ISSUER => api_key_subject(&mut tx, subject).await?,
                _ => subject.to_string(),
            };
            store::subject_link::insert(&mut tx, id, issuer, &subject, person).await?
        }
    };
    tx.commit().await?;
    Ok(link)
}

/// Takes a link back. Errors: `NotFound`, `IdempotencyKeyReused`.
pub async fn unlink_subject(domain: &Domain, caller: &Caller, key: &Key, id: SubjectLinkId) -> Result<()> {
    let mut tx = domain.store.caller(caller).await?;
    if claim(&mut tx, caller, key, id).await? == Claim::First {
        store::subject_link::remove(&mut tx, id).await?;
    }
    tx.commit().await
}

/// The linked subjects of the caller's tenant, newest first.
pub async fn list_subjects(
    domain: &Domain,
    caller: &Caller,
    page: &Page<SubjectLinkId>,
) -> Result<Paged<SubjectLink, SubjectLinkId>> {
    let mut tx = domain.store.caller(caller).await?;
    let links = store::subject_link::list(&mut tx, page).await?;
    tx.end_reading();
    Ok(links)
}

/// Issuers and subjects are compared letter by letter, so they are kept as they came.
fn exact(field: &str, text: &str) -> Result<()> {
    if text.chars().any(char::is_control) {
        return Err(Error::invalid(field, "must have no control characters"));
    }
    Ok(())
}

/// The id as the database writes it, which is how a caller is looked up.
async fn api_key_subject(tx: &mut TenantTx, subject: &str) -> Result<String> {
    let unknown = || Error::invalid("subject", "must be the id of an API key of this tenant");
    let id: ApiKeyId = subject.parse().map_err(|_| unknown())?;
    match store::api_key::find(tx, id).await {
        Ok(key) => Ok(key.id.to_string()),
        Err(Error::NotFound(Noun::ApiKey)) => Err(unknown()),
        Err(error) => Err(error),
    }
}
