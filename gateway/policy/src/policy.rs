//! A policy that was checked, and the questions about services it answers.

use std::{collections::BTreeMap, sync::Arc};

use keyway_value::MetaObject;

use crate::{
    Code, Explanation, Kind, MemberError, PolicyError, Refusal, ServiceAccess,
    judge::{Judgement, Operation, judge},
    parse,
    rate::RateLimit,
    rule::{Rule, Scope},
    selector::Member,
};

/// Roles and their rules. It does not change: a reload makes another one.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The rules of each role, those of its parents included.
    roles: BTreeMap<String, Vec<usize>>,
    rules: Arc<[Rule]>,
    rates: Arc<[RateLimit]>,
}

impl Policy {
    /// Reads and checks a file. Everything that is wrong with it is reported at once.
    pub fn parse(file: &str, text: &str) -> Result<Self, PolicyError> {
        parse::parse(file, text)
    }

    /// The names of the roles, `admin` and `none` among them.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.roles.keys().map(String::as_str)
    }

    /// Whether a role exists.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.contains_key(role)
    }

    /// Whether a role may do everything, so that nothing has to be looked at: it has the rule of `admin`, and none that denies,
    /// limits or counts.
    pub fn is_unlimited(&self, role: &str) -> bool {
        self.rules_of(role).any(|rule| rule.everything) && self.rules_of(role).all(Rule::only_allows)
    }

    /// Whether a role may know that a service exists: it may use something of it.
    pub fn may_see(&self, role: &str, service: &str) -> bool {
        self.rules_of(role).any(|rule| rule.shows(service)) && !self.rules_of(role).any(|rule| rule.hides(service))
    }

    /// Whether a role may register a service under a name.
    pub fn may_register(&self, role: &str, service: &str) -> Result<(), Box<Refusal>> {
        let operation = Operation { kind: Kind::Register, name: "", signature: None, property: None };
        let judgement = self.judge(role, Scope::Service, service, &operation);
        let (code, rule) = match (judgement.denies.first(), judgement.allows.first()) {
            (Some(deny), _) => (Code::Denied, Some(deny.rule.id.clone())),
            (None, Some(_)) => return Ok(()),
            (None, None) if !self.has_role(role) => (Code::UnknownRole, None),
            (None, None) => (Code::Register, None),
        };
        let (role, service, member) = (role.to_owned(), service.to_owned(), operation.text());
        Err(Box::new(Refusal { code, rule, role, service, member, detail: None }))
    }

    /// What a role may do with a service, by action ids.
    pub fn access(&self, role: &str, service: &str, metaobject: &MetaObject) -> ServiceAccess {
        ServiceAccess::compile(self, role, Scope::Service, service, metaobject)
    }

    /// What a role may do with an object that a service returned, by action ids.
    pub fn object_access(&self, role: &str, service: &str, metaobject: &MetaObject) -> ServiceAccess {
        ServiceAccess::compile(self, role, Scope::Objects, service, metaobject)
    }

    /// Whether a role may use a member, and which rule says so. Members are named as in rules (`say`, `add::(ii)`,
    /// `read:volume`, `register`), objects of a service as `Service.object`.
    pub fn explain(&self, role: &str, service: &str, member: &str) -> Result<Explanation, MemberError> {
        Ok(Explanation::of(self, role, service, &Member::parse(member)?))
    }

    pub(crate) fn of(roles: BTreeMap<String, Vec<usize>>, rules: Vec<Rule>, rates: Vec<RateLimit>) -> Self {
        Self { roles, rules: rules.into(), rates: rates.into() }
    }

    pub(crate) fn judge(&self, role: &str, scope: Scope, service: &str, operation: &Operation<'_>) -> Judgement<'_> {
        judge(self.rules_of(role), scope, service, operation)
    }

    pub(crate) fn rates(&self) -> Arc<[RateLimit]> {
        Arc::clone(&self.rates)
    }

    fn rules_of(&self, role: &str) -> impl Iterator<Item = &Rule> {
        self.roles.get(role).into_iter().flatten().filter_map(|rule| self.rules.get(*rule))
    }
}

/// `admin` and `none`, and no rules.
impl Default for Policy {
    fn default() -> Self {
        let roles = [(parse::ADMIN.to_owned(), vec![0]), (parse::NONE.to_owned(), Vec::new())];
        Self::of(roles.into(), vec![Rule::of_admin()], Vec::new())
    }
}
