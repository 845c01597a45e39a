//! Who an attendee is here. A provider of bookings knows no people, only what somebody typed: the contact and
//! the name are the record, so that whoever books twice is one person, and whoever was deleted stays so.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};

use super::{Attendee, Context};
use crate::{
    domain::patient::{ARRIVAL_LOCK, Newcomer, TakenIn, arrive, tombstone},
    error::Result,
    fold,
    ids::PatientId,
    store::{self, TenantTx, patient_link::PatientLink},
    vault::TenantKey,
    words::{LinkOrigin, Origin},
};

/// As long as names of people may be in any other way in.
const MAX_NAME_CHARS: usize = 200;
const MAX_CONTACT_CHARS: usize = 320;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Person {
    Known(PatientId),
    /// Deleted here.
    Forgotten,
    /// There is nothing to know anybody by.
    Nobody,
}

/// What an attendee is called in `patient_link`: a keyed hash. `None` without e-mail and phone.
pub fn external_id(key: &TenantKey, attendee: &Attendee, phone_region: &str) -> Option<String> {
    let email = attendee.email.as_deref().and_then(fold::email);
    let phone = || {
        let phone = attendee.phone.as_deref()?;
        Some(fold::phone(phone, phone_region).unwrap_or_else(|| phone.to_owned()))
    };
    let contact = email.or_else(phone)?;
    let name = attendee.name.as_deref().map(fold::name).unwrap_or_default();
    let hash = key.fingerprint("attendee", &[contact.as_bytes(), name.as_bytes()]);
    Some(URL_SAFE_NO_PAD.encode(hash))
}

/// Finds the person, or adds one. `created_at` is when the booking was made, as far as that is known:
/// somebody who was deleted and books anew has come back.
pub(super) async fn take_in(
    tx: &mut TenantTx,
    context: &Context,
    attendee: &Attendee,
    created_at: Option<DateTime<Utc>>,
) -> Result<Person> {
    tx.lock(ARRIVAL_LOCK).await?;
    let tenant = store::tenant::current(tx).await?;
    let Some(external_id) = external_id(&context.key, attendee, &tenant.phone_region) else {
        return Ok(Person::Nobody);
    };
    let known = store::patient_link::find(tx, context.integration, &external_id).await?;
    if let Some(id) = known.as_ref().and_then(|link| link.patient_id) {
        return Ok(Person::Known(store::patient::survivor(tx, id).await?));
    }
    let fingerprint = tombstone(&context.key, context.integration, &external_id);
    let deleted_at = store::patient::tombstone_time(tx, &fingerprint).await?;
    if deleted_at.is_some_and(|deleted| created_at.is_none_or(|created| created <= deleted)) {
        return Ok(Person::Forgotten);
    }
    let taken_in = arrive(tx, &tenant, &newcomer(attendee), Origin::Calcom, false).await?.who;
    let link = PatientLink {
        patient_id: Some(taken_in.id()),
        origin: Some(match taken_in {
            TakenIn::Matched(_) => LinkOrigin::Email,
            TakenIn::Created(_) | TakenIn::Candidate(_) => LinkOrigin::Created,
        }),
        link_time: context.now,
        ..known.unwrap_or_else(|| PatientLink::new(context.integration, &external_id))
    };
    store::patient_link::save(tx, &link).await?;
    Ok(Person::Known(taken_in.id()))
}

/// One name is given where there are two: the last word is the family's.
fn newcomer(attendee: &Attendee) -> Newcomer {
    let cut = |text: &str, max: usize| text.chars().take(max).collect::<String>();
    let contact = || attendee.email.clone().or_else(|| attendee.phone.clone()).unwrap_or_default();
    let words: Vec<&str> = attendee.name.as_deref().unwrap_or_default().split_whitespace().collect();
    let (first_name, last_name) = match words.split_last() {
        Some((last, first)) => (first.join(" "), (*last).to_owned()),
        None => (String::new(), contact()),
    };
    Newcomer {
        first_name: cut(&first_name, MAX_NAME_CHARS),
        last_name: cut(&last_name, MAX_NAME_CHARS),
        email: attendee.email.as_deref().map(|email| cut(email, MAX_CONTACT_CHARS)),
        phone: attendee.phone.as_deref().map(|phone| cut(phone, MAX_CONTACT_CHARS)),
        birth_date: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attendee(name: Option<&str>, email: Option<&str>, phone: Option<&str>) -> Attendee {
        Attendee {
            name: name.map(Into::into),
            email: email.map(Into::into),
            phone: phone.map(Into::into),
            time_zone: None,
        }
    }

    #[test]
    fn the_last_word_of_a_name_is_the_familys() {
        let named = |name| {
            let newcomer = newcomer(&attendee(name, Some("erika@example.org"), None));
            (newcomer.first_name, newcomer.last_name)
        };

        assert_eq!(named(Some("Erika  Muster")), ("Erika".into(), "Muster".into()));
        assert_eq!(named(Some("Anna Lena Beispiel")), ("Anna Lena".into(), "Beispiel".into()));
        assert_eq!(named(Some("Muster")), (String::new(), "Muster".into()));
        assert_eq!(named(None), (String::new(), "erika@example.org".into()));
    }
}
