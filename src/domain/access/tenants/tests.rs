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

fn mask(paths: &[&str]) -> Vec<String> {
    paths.iter().map(ToString::to_string).collect()
}

#[test]
fn without_a_mask_only_what_is_set_changes() {
    let (before, mut changed) = (tenant(), tenant());
    let change =
        SettingsChange { phone_region: "CH".into(), hold_duration_s: Some(45), ..SettingsChange::default() };

    change.apply(&mut changed).unwrap();

    assert_eq!((changed.phone_region.as_str(), changed.hold_duration_s), ("CH", 45));
    assert_eq!((changed.time_zone, changed.webhook_limit_per_minute), (before.time_zone, 7));
}

#[test]
fn what_the_mask_does_not_name_stays() {
    let mut changed = tenant();
    let (phone_region, time_zone) = ("CH".into(), "Europe/Zurich".into());
    let change = SettingsChange {
        mask: mask(&["phone_region"]),
        phone_region,
        time_zone,
        ..SettingsChange::default()
    };

    change.apply(&mut changed).unwrap();

    assert_eq!((changed.phone_region.as_str(), changed.time_zone.as_str()), ("CH", "Europe/Vienna"));
}

#[test]
fn an_empty_field_that_the_mask_names_is_cleared_or_reset() {
    let mut changed = tenant();

    SettingsChange { mask: mask(&FIELDS), ..SettingsChange::default() }.apply(&mut changed).unwrap();

    assert_eq!((changed.default_practitioner_id, changed.booking_url), (None, None));
    assert_eq!((changed.time_zone.as_str(), changed.phone_region.as_str()), ("Europe/Berlin", "DE"));
    assert_eq!(
        (changed.webhook_limit_per_minute, changed.hold_duration_s, changed.event_retention_months),
        (100, 600, 24)
    );
}

#[test]
fn an_unknown_path_is_refused_beside_a_known_one() {
    for path in ["idempotency_key", "tenant", "*", ""] {
        let change = SettingsChange { mask: mask(&["time_zone", path]), ..SettingsChange::default() };

        let error = change.apply(&mut tenant()).unwrap_err();

        assert!(matches!(&error, Error::Invalid(v) if v[0].field == "update_mask"), "{path}: {error}");
    }
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
