//! How much of a record is shown: the compact record in lists, the full one by itself, or what `opt_fields`
//! names.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::gid::Gid;

#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// Of a nested record that was named without a field of it: what it is and which.
    Bare,
    Compact,
    Full,
    Named(HashMap<String, Shape>),
}

impl Shape {
    /// Of `opt_fields`, as `name,assignee.name`.
    pub(crate) fn named<'a>(paths: impl IntoIterator<Item = &'a str>) -> Self {
        let mut top = HashMap::new();
        for path in paths {
            let mut level = &mut top;
            for part in path.split('.').map(str::trim).filter(|part| !part.is_empty()) {
                let below = level.entry(part.to_owned()).or_insert_with(|| Self::Named(HashMap::new()));
                let Self::Named(next) = below else { break };
                level = next;
            }
        }
        Self::Named(top)
    }

    fn below(&self, name: &str) -> Option<Self> {
        match self {
            Self::Bare => None,
            Self::Compact | Self::Full => Some(Self::Compact),
            Self::Named(fields) => match fields.get(name)? {
                Self::Named(none) if none.is_empty() => Some(Self::Bare),
                some => Some(some.clone()),
            },
        }
    }

    fn names(&self, name: &str) -> bool {
        matches!(self, Self::Named(fields) if fields.contains_key(name))
    }
}

/// A record on its way out; what nobody asked for is never made.
pub(crate) struct Shown<'s> {
    shape: &'s Shape,
    map: Map<String, Value>,
}

impl<'s> Shown<'s> {
    pub(crate) fn of(shape: &'s Shape, gid: Gid, resource_type: &str) -> Self {
        let shown = Self { shape, map: Map::new() }.put("gid", gid.json());
        if matches!(shape, Shape::Named(_)) && !shape.names("resource_type") {
            return shown;
        }
        shown.put("resource_type", resource_type.into())
    }

    /// What has no id, as an event.
    pub(crate) fn anonymous(shape: &'s Shape) -> Self {
        Self { shape, map: Map::new() }
    }

    /// Part of the compact record.
    pub(crate) fn compact<V: Into<Value>>(self, name: &str, value: impl FnOnce() -> V) -> Self {
        let is_wanted = matches!(self.shape, Shape::Compact | Shape::Full) || self.shape.names(name);
        self.when(is_wanted, name, value)
    }

    /// Part of the full record.
    pub(crate) fn full<V: Into<Value>>(self, name: &str, value: impl FnOnce() -> V) -> Self {
        let is_wanted = matches!(self.shape, Shape::Full) || self.shape.names(name);
        self.when(is_wanted, name, value)
    }

    /// Only for who names it.
    pub(crate) fn asked<V: Into<Value>>(self, name: &str, value: impl FnOnce() -> V) -> Self {
        let is_wanted = self.shape.names(name);
        self.when(is_wanted, name, value)
    }

    /// A record or a list of them, part of the compact record.
    pub(crate) fn compact_record(self, name: &str, value: impl FnOnce(&Shape) -> Value) -> Self {
        let is_wanted = matches!(self.shape, Shape::Compact | Shape::Full) || self.shape.names(name);
        self.record(is_wanted, name, value)
    }

    pub(crate) fn full_record(self, name: &str, value: impl FnOnce(&Shape) -> Value) -> Self {
        let is_wanted = matches!(self.shape, Shape::Full) || self.shape.names(name);
        self.record(is_wanted, name, value)
    }

    pub(crate) fn asked_record(self, name: &str, value: impl FnOnce(&Shape) -> Value) -> Self {
        let is_wanted = self.shape.names(name);
        self.record(is_wanted, name, value)
    }

    pub(crate) fn done(self) -> Value {
        Value::Object(self.map)
    }

    fn record(self, is_wanted: bool, name: &str, value: impl FnOnce(&Shape) -> Value) -> Self {
        match self.shape.below(name) {
            Some(below) if is_wanted => self.put(name, value(&below)),
            _ => self,
        }
    }

    fn when<V: Into<Value>>(self, is_wanted: bool, name: &str, value: impl FnOnce() -> V) -> Self {
        if is_wanted { self.put(name, value().into()) } else { self }
    }

    fn put(mut self, name: &str, value: Value) -> Self {
        self.map.insert(name.to_owned(), value);
        self
    }
}
