use proptest::prelude::*;

use super::*;

fn patient(first_name: &str, last_name: &str) -> Patient {
    let newcomer =
        Newcomer { first_name: first_name.into(), last_name: last_name.into(), ..Newcomer::default() };
    let tenant = Tenant {
        id: crate::ids::TenantId::new(),
        name: "acme".into(),
        default_practitioner_id: None,
        booking_url: None,
        time_zone: "Europe/Berlin".into(),
        phone_region: "DE".into(),
        webhook_limit_per_minute: 100,
        hold_duration_s: 600,
        event_retention_months: 24,
        create_time: Utc::now(),
    };
    new_patient(PatientId::new(), &tenant, &newcomer, Origin::Admin)
}

#[test]
fn a_name_in_a_booking_link_is_percent_encoded() {
    let patient = patient("Änne & Co", "O'Neill/Groß");

    assert_eq!(
        fill_in("https://book.example.org/p?n={name}", &patient),
        "https://book.example.org/p?n=%C3%84nne%20%26%20Co%20O%27Neill%2FGro%C3%9F"
    );
    assert_eq!(
        fill_in("https://book.example.org/{last_name}/{first_name}", &patient),
        "https://book.example.org/O%27Neill%2FGro%C3%9F/%C3%84nne%20%26%20Co"
    );
    assert!(
        fill_in("https://book.example.org/?from=desk", &patient)
            .ends_with("?from=desk&name=%C3%84nne%20%26%20Co%20O%27Neill%2FGro%C3%9F")
    );
}

#[test]
fn a_tools_address_never_overwrites_the_practices_own() {
    let mut known = patient("Erika", "Muster");
    known.email = Some("practice@example.org".into());
    let newcomer = Newcomer {
        email: Some("tool@example.org".into()),
        phone: Some("030 123".into()),
        ..Newcomer::default()
    };

    assert!(add_missing(&mut known, &newcomer, true));
    assert!(!add_missing(&mut known, &newcomer, true));

    assert_eq!(
        (known.email.as_deref(), known.booking_email.as_deref()),
        (Some("practice@example.org"), Some("tool@example.org"))
    );
}

proptest! {
    #[test]
    fn whatever_the_name_the_link_stays_one_url_with_one_value(first in ".{0,20}", last in ".{1,20}") {
        let filled = fill_in("https://book.example.org/p?n={name}&x=1", &patient(&first, &last));
        let url = url::Url::parse(&filled).unwrap();
        let pairs: Vec<(String, String)> = url.query_pairs().map(|(k, v)| (k.into(), v.into())).collect();

        let expected = format!("{first} {last}").trim().to_string();
        prop_assert_eq!(pairs, vec![("n".to_string(), expected), ("x".to_string(), "1".to_string())]);
    }
}
