//! The way to the booking tool's page, with a person's name filled in.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    caller::Caller,
    domain::Domain,
    error::{Error, Result},
    ids::PatientId,
    store,
};

/// RFC 3986 unreserved characters stay as they are.
const IN_URL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The booking tool's URL with the person's name filled in. Errors: `BookingUrlNotConfigured`.
pub async fn booking_link(domain: &Domain, caller: &Caller, id: PatientId) -> Result<String> {
    let mut tx = domain.store.caller(caller).await?;
    let patient = store::patient::find(&mut tx, id).await?;
    let tenant = store::tenant::current(&mut tx).await?;
    tx.commit().await?;
    let template = tenant.booking_url.ok_or(Error::BookingUrlNotConfigured)?;
    Ok(fill_in(&template, &patient.first_name, &patient.last_name))
}

/// Fills in `{name}`, `{first_name}` and `{last_name}`, percent-encoded;
/// a template without any gets `?name=`.
fn fill_in(template: &str, first_name: &str, last_name: &str) -> String {
    let encode = |text: &str| utf8_percent_encode(text, IN_URL).to_string();
    let name = format!("{first_name} {last_name}").trim().to_string();
    if !template.contains('{') {
        // Behind `#` nothing is part of the query.
        let (page, place) = template.split_at(template.find('#').unwrap_or(template.len()));
        let sign = if page.contains('?') { '&' } else { '?' };
        return format!("{page}{sign}name={}{place}", encode(&name));
    }
    // One pass, so that braces in a name are text.
    let mut filled = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        filled.push_str(&rest[..at]);
        rest = &rest[at..];
        let known = [("{name}", name.as_str()), ("{first_name}", first_name), ("{last_name}", last_name)];
        match known.iter().find(|(placeholder, _)| rest.starts_with(placeholder)) {
            Some((placeholder, value)) => {
                filled.push_str(&encode(value));
                rest = &rest[placeholder.len()..];
            }
            None => {
                filled.push('{');
                rest = &rest[1..];
            }
        }
    }
    filled + rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_in_a_booking_link_is_percent_encoded() {
        let filled = |template| fill_in(template, "Änne & Co", "O'Neill/Groß");

        assert_eq!(
            filled("https://book.example.org/p?n={name}"),
            "https://book.example.org/p?n=%C3%84nne%20%26%20Co%20O%27Neill%2FGro%C3%9F"
        );
        assert_eq!(
            filled("https://book.example.org/{last_name}/{first_name}"),
            "https://book.example.org/O%27Neill%2FGro%C3%9F/%C3%84nne%20%26%20Co"
        );
        assert!(
            filled("https://book.example.org/?from=desk")
                .ends_with("?from=desk&name=%C3%84nne%20%26%20Co%20O%27Neill%2FGro%C3%9F")
        );
    }

    #[test]
    fn a_name_comes_before_the_part_of_a_booking_link_that_no_server_sees() {
        let filled = |template| fill_in(template, "Erika", "Muster");

        assert_eq!(filled("https://x.example/#/termin"), "https://x.example/?name=Erika%20Muster#/termin");
        assert_eq!(filled("https://x.example/?a=1#b?c"), "https://x.example/?a=1&name=Erika%20Muster#b?c");
        assert_eq!(filled("https://x.example/#b?c"), "https://x.example/?name=Erika%20Muster#b?c");
        assert_eq!(filled("https://x.example/#/{name}"), "https://x.example/#/Erika%20Muster");
    }

    proptest! {
        #[test]
        fn whatever_the_name_the_link_stays_one_url_with_one_value(first in ".{0,20}", last in ".{1,20}") {
            let filled = fill_in("https://book.example.org/p?n={name}&x=1", &first, &last);
            let url = url::Url::parse(&filled).unwrap();
            let pairs: Vec<(String, String)> =
                url.query_pairs().map(|(k, v)| (k.into(), v.into())).collect();

            let expected = format!("{first} {last}").trim().to_string();
            prop_assert_eq!(pairs, vec![("n".to_string(), expected), ("x".to_string(), "1".to_string())]);
        }
    }
}
