//! A tenant's settings.

use crate::{
    domain::access::SettingsChange,
    error::Result,
    grpc::{
        convert::{duration, seconds, text},
        mask::Mask,
        optional_id,
    },
    proto::{TenantSettings, UpdateTenantSettingsRequest},
    store::tenant::Tenant,
};

/// What an update mask may name.
const FIELDS: [&str; 8] = [
    "default_practitioner_id",
    "booking_url",
    "time_zone",
    "phone_region",
    "webhook_limit_per_minute",
    "hold_duration",
    "event_retention_months",
    "return_urls",
];

/// What an update changes: the fields its mask names, or without a mask those that are set.
pub(super) fn change(message: UpdateTenantSettingsRequest) -> Result<SettingsChange> {
    let mask = Mask::of(message.update_mask.as_ref(), &FIELDS)?;
    let named = |field, value: String| mask.names(field, !value.is_empty()).then_some(value);
    let number = |field, value: i32| mask.names(field, value != 0).then_some(value);
    let practitioner = optional_id("default_practitioner_id", &message.default_practitioner_id)?;
    let hold = message.hold_duration.map(|span| seconds("hold_duration", span)).transpose()?;
    let are_urls_named = mask.names("return_urls", !message.return_urls.is_empty());
    Ok(SettingsChange {
        default_practitioner_id: mask
            .names("default_practitioner_id", practitioner.is_some())
            .then_some(practitioner),
        booking_url: named("booking_url", message.booking_url),
        time_zone: named("time_zone", message.time_zone),
        phone_region: named("phone_region", message.phone_region),
        webhook_limit_per_minute: number("webhook_limit_per_minute", message.webhook_limit_per_minute),
        hold_duration_s: mask.names("hold_duration", hold.is_some()).then_some(hold),
        event_retention_months: number("event_retention_months", message.event_retention_months),
        return_urls: are_urls_named.then_some(message.return_urls),
    })
}

impl From<Tenant> for TenantSettings {
    fn from(tenant: Tenant) -> Self {
        Self {
            tenant: Some((&tenant).into()),
            default_practitioner_id: text(tenant.default_practitioner_id),
            booking_url: tenant.booking_url.unwrap_or_default(),
            time_zone: tenant.time_zone,
            phone_region: tenant.phone_region,
            webhook_limit_per_minute: tenant.webhook_limit_per_minute,
            hold_duration: Some(duration(tenant.hold_duration_s)),
            event_retention_months: tenant.event_retention_months,
            return_urls: tenant.return_urls,
        }
    }
}

#[cfg(test)]
mod tests {
    use prost_types::FieldMask;

    use super::*;

    fn set() -> UpdateTenantSettingsRequest {
        UpdateTenantSettingsRequest {
            phone_region: "CH".into(),
            time_zone: "Europe/Zurich".into(),
            ..Default::default()
        }
    }

    fn masked(paths: &[&str]) -> UpdateTenantSettingsRequest {
        let paths = paths.iter().map(ToString::to_string).collect();
        UpdateTenantSettingsRequest { update_mask: Some(FieldMask { paths }), ..set() }
    }

    #[test]
    fn without_a_mask_only_what_is_set_changes() {
        let changed = change(set()).unwrap();

        let (phone_region, time_zone) = (Some("CH".into()), Some("Europe/Zurich".into()));
        assert_eq!(changed, SettingsChange { phone_region, time_zone, ..SettingsChange::default() });
    }

    #[test]
    fn what_the_mask_does_not_name_stays() {
        let changed = change(masked(&["phone_region", "return_urls"])).unwrap();

        let (phone_region, return_urls) = (Some("CH".into()), Some(Vec::new()));
        assert_eq!(changed, SettingsChange { phone_region, return_urls, ..SettingsChange::default() });
    }

    #[test]
    fn every_field_can_be_named_and_emptied() {
        let mask = masked(&FIELDS).update_mask;

        let changed =
            change(UpdateTenantSettingsRequest { update_mask: mask, ..Default::default() }).unwrap();

        let expected = SettingsChange {
            default_practitioner_id: Some(None),
            booking_url: Some(String::new()),
            time_zone: Some(String::new()),
            phone_region: Some(String::new()),
            webhook_limit_per_minute: Some(0),
            hold_duration_s: Some(None),
            event_retention_months: Some(0),
            return_urls: Some(Vec::new()),
        };
        assert_eq!(changed, expected);
    }
}
