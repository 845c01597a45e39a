//! Whom a credential speaks for.

use std::fmt;

use super::Calcom;
use super::call::Call;
use super::error::CallError;
use crate::provider::fields::Fields;

/// The user a credential acts as.
#[derive(Clone, PartialEq, Eq)]
pub struct Me {
    pub id: i64,
    /// What event types are listed by.
    pub username: Option<String>,
    pub email: Option<String>,
    pub name: Option<String>,
    /// IANA.
    pub time_zone: Option<String>,
    pub organization_id: Option<i64>,
}

impl Calcom<'_> {
    /// Tells whether the credential works, and whose it is.
    pub async fn me(&self) -> Result<Me, CallError> {
        let answer = self.call(Call::get(&["me"])).await?;
        read(answer.object()?).ok_or_else(|| answer.unfit("data.id"))
    }
}

fn read(data: Fields<'_>) -> Option<Me> {
    Some(Me {
        id: data.int("id")?,
        username: data.text("username"),
        email: data.text("email"),
        name: data.text("name"),
        time_zone: data.text("timeZone"),
        organization_id: data.int("organizationId"),
    })
}

impl fmt::Debug for Me {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Me").field("id", &self.id).finish_non_exhaustive()
    }
}
