//! Which fields of an update count.

use prost_types::FieldMask;

use crate::error::{Error, Result};

/// The fields that an update's mask names, or without a mask those that are set.
pub(super) struct Mask<'a>(Option<&'a [String]>);

impl<'a> Mask<'a> {
    /// Errors: `Invalid` for a path that is none of `fields`.
    pub(super) fn of(mask: Option<&'a FieldMask>, fields: &[&str]) -> Result<Self> {
        let paths = mask.map(|mask| mask.paths.as_slice());
        let unknown = paths.unwrap_or_default().iter().find(|path| !fields.contains(&path.as_str()));
        if let Some(path) = unknown {
            let description = format!("{} is not a field that can change", path.escape_debug());
            return Err(Error::invalid("update_mask", description));
        }
        Ok(Self(paths))
    }

    /// Whether this field changes; one that is named and not set is cleared or reset.
    pub(super) fn names(&self, field: &str, is_set: bool) -> bool {
        self.0.map_or(is_set, |paths| paths.iter().any(|path| path == field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [&str; 2] = ["name", "area"];

    fn mask(paths: &[&str]) -> FieldMask {
        FieldMask { paths: paths.iter().map(ToString::to_string).collect() }
    }

    #[test]
    fn without_a_mask_what_is_set_counts() {
        let mask = Mask::of(None, &FIELDS).unwrap();

        assert_eq!((mask.names("name", true), mask.names("area", false)), (true, false));
    }

    #[test]
    fn a_mask_alone_says_what_counts_even_if_it_names_nothing() {
        let (one, none) = (mask(&["area"]), mask(&[]));
        let (one, none) = (Mask::of(Some(&one), &FIELDS).unwrap(), Mask::of(Some(&none), &FIELDS).unwrap());

        assert_eq!((one.names("name", true), one.names("area", false)), (false, true));
        assert_eq!((none.names("name", true), none.names("area", true)), (false, false));
    }

    #[test]
    fn an_unknown_path_is_refused_beside_a_known_one() {
        for path in ["idempotency_key", "tenant", "*", ""] {
            let error = Mask::of(Some(&mask(&["name", path])), &FIELDS).err();

            assert!(matches!(&error, Some(Error::Invalid(v)) if v[0].field == "update_mask"), "{path}");
        }
    }
}
