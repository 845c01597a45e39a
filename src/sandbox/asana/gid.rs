//! Asana's ids: digits, written as a text.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// The id of anything. In JSON it is a text: it does not fit a double's 53 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gid(u64);

impl Gid {
    /// Before every other.
    pub(crate) const ZERO: Self = Self(0);

    pub(crate) fn after(self) -> Self {
        Self(self.0 + 1)
    }

    pub(crate) fn json(self) -> Value {
        Value::String(self.to_string())
    }

    pub(crate) fn first(offset: u64) -> Self {
        Self(FIRST + offset)
    }
}

/// Above 2^53, as real ones can be.
const FIRST: u64 = 12_093_000_000_000_001;

impl fmt::Display for Gid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("not a recognized ID")]
pub struct NotAGid;

impl FromStr for Gid {
    type Err = NotAGid;

    fn from_str(text: &str) -> Result<Self, NotAGid> {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| digits).map(Self).ok_or(NotAGid)
    }
}

impl Serialize for Gid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Gid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
