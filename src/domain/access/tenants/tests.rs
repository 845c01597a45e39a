use chrono::Utc;

use super::*;

fn tenant() -> Tenant {
    Tenant {
        id: TenantId::new(),
        name: "Praxis".into(),
        default_practitioner_id: Some(PractitionerId::new()),
        booking_url: Some("https://booking.example.org".into()),
        time_zone: "Europe/Vienna".into(),
        phone_region: "AT".into(),
        webhook_limit_per_minute: 7,
        hold_duration_s: 30,
        event_retention_months: 3,
        create_time: Utc::now(),
        return_urls: Vec::new(),
    }
}

#[test]
fn only_what_a_change_tells_changes() {
    let (before, mut changed) = (tenant(), tenant());
    let (phone_region, hold_duration_s) = (Some("CH".into()), Some(Some(45)));
    let change = SettingsChange { phone_region, hold_duration_s, ..SettingsChange::default() };

    change.apply(&mut changed).unwrap();

    assert_eq!((changed.phone_region.as_str(), changed.hold_duration_s), ("CH", 45));
    assert_eq!((changed.time_zone, changed.webhook_limit_per_minute), (before.time_zone, 7));
}

#[test]
fn an_empty_value_clears_or_resets() {
    let mut changed = tenant();
    let empty = SettingsChange {
        default_practitioner_id: Some(None),
        booking_url: Some(String::new()),
        time_zone: Some(String::new()),
        phone_region: Some(String::new()),
        webhook_limit_per_minute: Some(0),
        hold_duration_s: Some(None),
        event_retention_months: Some(0),
        return_urls: Some(Vec::new()),
    };

    empty.apply(&mut changed).unwrap();

    assert_eq!((changed.default_practitioner_id, changed.booking_url), (None, None));
    assert_eq!((changed.time_zone.as_str(), changed.phone_region.as_str()), ("Europe/Berlin", "DE"));
    assert_eq!(
        (changed.webhook_limit_per_minute, changed.hold_duration_s, changed.event_retention_months),
        (100, 600, 24)
    );
}

#[test]
fn a_booking_url_may_have_placeholders_behind_its_host() {
    for text in [
        "https://booking.example.org",
        "https://booking.example.org:8443/p/{last_name}?n={name}&first={first_name}#{name}",
    ] {
        assert_eq!(checked_booking_url(text).unwrap().as_deref(), Some(text));
    }
}

#[test]
fn a_booking_url_that_could_lead_astray_is_refused() {
    for text in [
        "http://booking.example.org",
        "javascript:alert(1)",
        "booking.example.org",
        "https://",
        "https://{name}.example.org",
        "https://{name}",
        "https://user@booking.example.org",
        "https://user:word@booking.example.org",
        "https://{name}@booking.example.org",
        "https://booking.example.org:{name}",
        "https://booking.example.org/{email}",
        "https://booking.example.org/{{name}}",
        "https://booking.example.org/{name",
        "https://booking.example.org/a b",
        "https://booking.example.org/\n",
        " https://booking.example.org",
    ] {
        assert!(matches!(checked_booking_url(text), Err(Error::Invalid(_))), "{text}");
    }
}

#[test]
fn zones_and_regions_are_known_ones() {
    assert_eq!(known_time_zone("America/Argentina/Buenos_Aires").unwrap(), "America/Argentina/Buenos_Aires");
    assert_eq!(known_phone_region("AT").unwrap(), "AT");
    for text in ["Berlin", "CEST", "Europe/berlin", "+02:00"] {
        assert!(known_time_zone(text).is_err(), "{text}");
    }
    for text in ["XX", "de", "001"] {
        assert!(known_phone_region(text).is_err(), "{text}");
    }
}
