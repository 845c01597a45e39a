//! Whom and what a practice can book, and the names that sources know them by.

use chrono::{DateTime, Utc};

use super::name;
use crate::{
    caller::Caller,
    domain::{
        Domain, appointment,
        idempotency::{Claim, Key, claim},
    },
    error::{Error, Result},
    fold,
    ids::{PractitionerId, ServiceId},
    page::{Page, Paged},
    store::{
        self, TenantTx,
        practitioner::{Practitioner, PractitionerFields},
        retry_deadlocks,
        service::{Service, ServiceFields},
    },
};

/// The practitioners, oldest first.
pub async fn list_practitioners(
    domain: &Domain,
    caller: &Caller,
    page: &Page<PractitionerId>,
) -> Result<Paged<Practitioner, PractitionerId>> {
    let mut tx = domain.store.caller(caller).await?;
    let practitioners = store::practitioner::list(&mut tx, page).await?;
    tx.end_reading();
    Ok(practitioners)
}

/// Adds a practitioner, or replaces the one with this id.
///
/// Errors: `Invalid`, `NotFound`, `NameTaken`, `IdempotencyKeyReused`.
pub async fn put_practitioner(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    id: Option<PractitionerId>,
    mut fields: PractitionerFields,
    now: DateTime<Utc>,
) -> Result<Practitioner> {
    let spellings = Spellings::of(&mut fields.name, &mut fields.aliases)?;
    let email = fields.email.take().map(|email| email.trim().to_owned());
    fields.email = email.filter(|email| !email.is_empty());
    let fresh = PractitionerId::new();
    retry_deadlocks(|| async {
        let mut tx = domain.store.caller(caller).await?;
        let practitioner = match claim(&mut tx, caller, key, id.unwrap_or(fresh)).await? {
            Claim::Repeat(id) => store::practitioner::find(&mut tx, PractitionerId(id)).await?,
            Claim::First => save_practitioner(&mut tx, id, fresh, &fields, &spellings, now).await?,
        };
        tx.commit().await?;
        Ok(practitioner)
    })
    .await
}

async fn save_practitioner(
    tx: &mut TenantTx,
    id: Option<PractitionerId>,
    fresh: PractitionerId,
    fields: &PractitionerFields,
    spellings: &Spellings,
    now: DateTime<Utc>,
) -> Result<Practitioner> {
    // Two who swap names would wait for each other's rows.
    tx.lock("practitioner names").await?;
    let saved = match id {
        Some(id) => store::practitioner::update_fields(tx, id, fields).await?,
        None => store::practitioner::insert(tx, fresh, fields).await?,
    };
    spellings.check(&store::practitioner::taken_names(tx, saved.id, &spellings.folded()).await?)?;
    store::practitioner::replace_names(tx, saved.id, &spellings.folded()).await?;
    let names: Vec<String> = spellings.folded().into_iter().map(Into::into).collect();
    appointment::assign_unassigned(tx, saved.id, &names, now).await?;
    Ok(saved)
}

/// The services, oldest first.
pub async fn list_services(
    domain: &Domain,
    caller: &Caller,
    page: &Page<ServiceId>,
) -> Result<Paged<Service, ServiceId>> {
    let mut tx = domain.store.caller(caller).await?;
    let services = store::service::list(&mut tx, page).await?;
    tx.end_reading();
    Ok(services)
}

/// Adds a service, or replaces the one with this id.
///
/// Errors: `Invalid`, `NotFound`, `NameTaken`, `IdempotencyKeyReused`.
pub async fn put_service(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    id: Option<ServiceId>,
    mut fields: ServiceFields,
) -> Result<Service> {
    let spellings = Spellings::of(&mut fields.name, &mut fields.aliases)?;
    let mut tx = domain.store.caller(caller).await?;
    let fresh = ServiceId::new();
    let service = match claim(&mut tx, caller, key, id.unwrap_or(fresh)).await? {
        Claim::Repeat(id) => store::service::find(&mut tx, ServiceId(id)).await?,
        Claim::First => save_service(&mut tx, id, fresh, &fields, &spellings).await?,
    };
    tx.commit().await?;
    Ok(service)
}

async fn save_service(
    tx: &mut TenantTx,
    id: Option<ServiceId>,
    fresh: ServiceId,
    fields: &ServiceFields,
    spellings: &Spellings,
) -> Result<Service> {
    // Two who swap names would wait for each other's rows.
    tx.lock("service names").await?;
    let saved = match id {
        Some(id) => store::service::update_fields(tx, id, fields).await?,
        None => store::service::insert(tx, fresh, fields).await?,
    };
    spellings.check(&store::service::taken_names(tx, saved.id, &spellings.folded()).await?)?;
    store::service::replace_names(tx, saved.id, &spellings.folded()).await?;
    Ok(saved)
}

/// The folded spellings of one record, each once, with the field that first said it.
struct Spellings(Vec<(String, String)>);

impl Spellings {
    /// Trims the names on the way. Errors: `Invalid` for one that nobody could see.
    fn of(own: &mut String, aliases: &mut [String]) -> Result<Self> {
        let aliases = aliases.iter_mut().enumerate().map(|(i, alias)| (format!("aliases[{i}]"), alias));
        let mut spellings: Vec<(String, String)> = Vec::new();
        for (field, text) in std::iter::once(("name".to_string(), own)).chain(aliases) {
            *text = name(&field, text)?;
            let folded = fold::name(text);
            if spellings.iter().all(|(_, known)| *known != folded) {
                spellings.push((field, folded));
            }
        }
        Ok(Self(spellings))
    }

    fn folded(&self) -> Vec<&str> {
        self.0.iter().map(|(_, folded)| folded.as_str()).collect()
    }

    /// Errors: `NameTaken` with the first field whose spelling is among those that others have.
    fn check(&self, taken: &[String]) -> Result<()> {
        match self.0.iter().find(|(_, folded)| taken.contains(folded)) {
            Some((field, _)) => Err(Error::NameTaken { field: field.clone() }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spellings(own: &str, aliases: &[&str]) -> Result<Spellings> {
        let mut aliases: Vec<_> = aliases.iter().map(ToString::to_string).collect();
        Spellings::of(&mut own.to_string(), &mut aliases)
    }

    #[test]
    fn spellings_that_fold_alike_count_once() {
        let spellings = spellings("Dr. Müller", &["dr. mueller", "Müller"]).unwrap();

        assert_eq!(spellings.folded(), ["dr. mueller", "mueller"]);
    }

    #[test]
    fn an_invisible_alias_is_refused_by_its_place() {
        let refused = spellings("Müller", &["Mueller", " \u{200b}"]).err();

        assert!(matches!(&refused, Some(Error::Invalid(v)) if v[0].field == "aliases[1]"), "{refused:?}");
    }

    #[test]
    fn a_taken_name_is_refused_by_its_field() {
        let spellings = spellings("Muster", &["E. Muster", "Erika"]).unwrap();

        let refused = spellings.check(&["erika".to_string()]);

        assert!(matches!(&refused, Err(Error::NameTaken { field }) if field == "aliases[1]"), "{refused:?}");
        assert!(spellings.check(&[]).is_ok());
    }
}
