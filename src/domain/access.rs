//! Tenants and their settings, who may call, and whom and what a practice can book.

mod catalog;
mod keys;
mod subjects;
mod tenants;

pub use catalog::{list_practitioners, list_services, put_practitioner, put_service};
pub use keys::{ApiKeySpec, CreatedApiKey, SECRET_PREFIX, create_api_key, list_api_keys, revoke_api_key};
pub use subjects::{API_KEY_ISSUER, link_subject, list_subjects, unlink_subject};
pub use tenants::{CreatedTenant, SettingsChange, create_tenant, get_settings, update_settings};

use crate::{
    error::{Error, Result},
    fold,
};

/// A name for people, without white space around it. Errors: `Invalid` when nobody could see it.
pub(super) fn name(field: &str, text: &str) -> Result<String> {
    if text.chars().any(char::is_control) || fold::name(text).is_empty() {
        return Err(Error::invalid(field, "must have a visible character and no control characters"));
    }
    Ok(text.trim().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_trimmed_and_must_be_visible() {
        assert_eq!(name("name", "  Praxis am Wall ").unwrap(), "Praxis am Wall");
        for text in ["", "  ", "\u{200b}", "a\0b", "a\nb"] {
            assert!(matches!(name("name", text), Err(Error::Invalid(_))), "{text:?}");
        }
    }
}
