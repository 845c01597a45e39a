//! Who may call what, read from the protos' method options at start.
//! An rpc without a rule stops the start-up.

use std::collections::HashMap;

use prost::Message;
use prost_reflect::{DescriptorPool, MethodDescriptor};
pub use stellwerk_proto::DESCRIPTORS;

use crate::{
    caller::Caller,
    error::{Error, Result},
    proto::{AccessRule, Role as WireRole},
    words::Role,
};

/// The rules by path, as in `/stellwerk.v1.PatientService/GetPatient`.
pub struct AccessRules {
    rules: HashMap<String, Rule>,
}

/// Who may call one rpc.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub roles: Vec<Role>,
    pub scope: Option<String>,
    /// Its caller may ask to wait until the provider has answered.
    pub waits_for_provider: bool,
}

/// Why the rules cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum AccessRuleError {
    #[error("the descriptors cannot be read")]
    Descriptors(#[from] prost_reflect::DescriptorError),
    #[error("{0} has no access rule")]
    Missing(String),
    #[error("the access rule of {0} is malformed: {1}")]
    Malformed(String, &'static str),
}

impl AccessRules {
    /// Reads the rules from an encoded descriptor set.
    pub fn read(descriptors: &[u8]) -> std::result::Result<Self, AccessRuleError> {
        let pool = DescriptorPool::decode(descriptors)?;
        let extension = pool.get_extension_by_name("stellwerk.v1.access");
        let mut rules = HashMap::new();
        for service in pool.services().filter(|service| service.package_name() == "stellwerk.v1") {
            for method in service.methods() {
                let name = method.full_name().to_string();
                let options = method.options();
                let option =
                    extension.as_ref().filter(|e| options.has_extension(e)).map(|e| options.get_extension(e));
                let bytes = option
                    .as_ref()
                    .and_then(|value| value.as_message())
                    .map(|message| message.encode_to_vec())
                    .ok_or_else(|| AccessRuleError::Missing(name.clone()))?;
                let rule = AccessRule::decode(bytes.as_slice())
                    .map_err(|_| AccessRuleError::Malformed(name.clone(), "not an AccessRule"))?;
                rules.insert(
                    format!("/{}/{}", service.full_name(), method.name()),
                    Rule::read(&method, rule)?,
                );
            }
        }
        Ok(Self { rules })
    }

    /// The rule of a path; `None` for a path that is not ours.
    pub fn rule(&self, path: &str) -> Option<&Rule> {
        self.rules.get(path)
    }

    /// Every path with its rule.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Rule)> {
        self.rules.iter().map(|(path, rule)| (path.as_str(), rule))
    }
}

impl Rule {
    fn read(method: &MethodDescriptor, rule: AccessRule) -> std::result::Result<Self, AccessRuleError> {
        let malformed = |why| AccessRuleError::Malformed(method.full_name().into(), why);
        let roles: Vec<Role> = rule.roles().filter_map(role).collect();
        if roles.is_empty() || roles.len() != rule.roles.len() {
            return Err(malformed("it names no role, or one that is unknown"));
        }
        if roles.contains(&Role::Service) == rule.scope.is_empty() {
            return Err(malformed("ROLE_SERVICE and a scope belong together"));
        }
        Ok(Self {
            roles,
            scope: Some(rule.scope).filter(|scope| !scope.is_empty()),
            waits_for_provider: method.input().get_field_by_name("wait_for_provider").is_some(),
        })
    }

    /// Whether the caller may. Errors: `RoleNotAllowed`, `ScopeMissing`, `SubjectNotLinked`.
    pub fn check(&self, caller: &Caller) -> Result<()> {
        if !self.roles.contains(&caller.role) {
            return Err(Error::RoleNotAllowed(caller.role));
        }
        match (caller.role, &self.scope) {
            (Role::Service, Some(scope)) if !caller.scopes.contains(scope) => {
                Err(Error::ScopeMissing(scope.clone()))
            }
            (Role::Practitioner | Role::Patient, _) if caller.person.is_none() => {
                Err(Error::SubjectNotLinked)
            }
            _ => Ok(()),
        }
    }
}

fn role(role: WireRole) -> Option<Role> {
    match role {
        WireRole::Unspecified => None,
        WireRole::Operator => Some(Role::Operator),
        WireRole::Admin => Some(Role::Admin),
        WireRole::Hr => Some(Role::Hr),
        WireRole::Practitioner => Some(Role::Practitioner),
        WireRole::Patient => Some(Role::Patient),
        WireRole::Service => Some(Role::Service),
    }
}

#[cfg(test)]
mod tests {
    use prost_reflect::{DynamicMessage, Value};

    use super::*;

    /// The compiled protos with one method's options removed. As messages of the pool's: prost's own types
    /// would lose all options that are ours.
    fn without_options_of(method_name: &str) -> Vec<u8> {
        let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
        let set = pool.get_message_by_name("google.protobuf.FileDescriptorSet").unwrap();
        let mut set = DynamicMessage::decode(set, DESCRIPTORS).unwrap();
        let services = inside(&mut set, "file").flat_map(|file| inside(file, "service"));
        for method in services.flat_map(|service| inside(service, "method")) {
            if method.get_field_by_name("name").unwrap().as_str() == Some(method_name) {
                method.clear_field_by_name("options");
            }
        }
        set.encode_to_vec()
    }

    fn inside<'a>(
        message: &'a mut DynamicMessage,
        list: &str,
    ) -> impl Iterator<Item = &'a mut DynamicMessage> + use<'a> {
        let list = message.get_field_by_name_mut(list).and_then(Value::as_list_mut);
        list.into_iter().flatten().filter_map(Value::as_message_mut)
    }

    #[test]
    fn every_rpc_has_a_rule() {
        let rules = AccessRules::read(DESCRIPTORS).unwrap();

        assert_eq!(rules.rule("/stellwerk.v1.PatientService/DeletePatient").unwrap().roles, [Role::Admin]);
        assert!(rules.rule("/stellwerk.v1.PatientService/Unknown").is_none());
    }

    #[test]
    fn who_may_wait_for_the_provider_is_what_the_requests_say() {
        let rules = AccessRules::read(DESCRIPTORS).unwrap();

        let mut waiting: Vec<_> =
            rules.all().filter(|(_, rule)| rule.waits_for_provider).map(|(path, _)| path).collect();
        waiting.sort_unstable();

        let of = ["BookAppointment", "CancelAppointment", "RescheduleAppointment"];
        assert_eq!(waiting, of.map(|rpc| format!("/stellwerk.v1.AppointmentService/{rpc}")));
    }

    #[test]
    fn an_rpc_without_a_rule_is_refused_by_name() {
        let error = AccessRules::read(&without_options_of("GetPatient")).err().unwrap();

        assert_eq!(error.to_string(), "stellwerk.v1.PatientService.GetPatient has no access rule");
    }
}
