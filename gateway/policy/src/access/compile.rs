//! From rules and a metaobject to verdicts.

use std::{borrow::Cow, sync::Arc};

use keyway_value::{MetaMethod, MetaObject, Signature};

use super::{ServiceAccess, Verdict, table::Table};
use crate::{
    Checker, Code, Kind, Policy, Refusal,
    judge::{Judgement, Operation},
    parse,
    rule::Scope,
};

struct Compiler<'p> {
    policy: &'p Policy,
    scope: Scope,
    role: Arc<str>,
    service: Arc<str>,
    /// The service as refusals name it.
    shown: Arc<str>,
}

impl ServiceAccess {
    pub(crate) fn compile(policy: &Policy, role: &str, scope: Scope, service: &str, metaobject: &MetaObject) -> Self {
        let suffix = if scope == Scope::Objects { parse::OBJECTS } else { "" };
        let shown = format!("{service}{suffix}").into();
        let compiler = Compiler { policy, scope, role: role.into(), service: service.into(), shown };
        let nothing = Signature::tuple([]);
        let mut access = Self {
            visible: policy.may_see(role, service),
            calls: Table::default(),
            emits: Table::default(),
            reads: Table::default(),
            subscribes: Table::default(),
            writes: Table::default(),
            manage: compiler.verdict(&Operation::service(Kind::Manage), &nothing, &[]),
            hidden: compiler.refusal(compiler.hidden_code(), "", None),
            unknown: compiler.refusal(Code::UnknownMember, "(unknown action)", None),
        };
        for (id, method) in &metaobject.methods {
            let signature = &method.parameters_signature;
            let operation = Operation { signature: Some(signature), ..Operation::member(Kind::Call, &method.name) };
            access.calls.insert(*id, compiler.verdict(&operation, signature, &parameter_names(method)));
        }
        for (id, signal) in &metaobject.signals {
            let property = metaobject.properties.get(id).map(|property| property.name.as_str());
            for (kind, table) in [(Kind::Subscribe, &mut access.subscribes), (Kind::Emit, &mut access.emits)] {
                let operation = Operation { property, ..Operation::member(kind, &signal.name) };
                table.insert(*id, compiler.verdict(&operation, &signal.signature, &[]));
            }
        }
        for (id, property) in &metaobject.properties {
            let read = compiler.verdict(&Operation::member(Kind::Read, &property.name), &nothing, &[]);
            access.reads.insert(*id, read);
            let value = Signature::tuple([property.signature.clone()]);
            let write = compiler.verdict(&Operation::member(Kind::Write, &property.name), &value, &["value"]);
            access.writes.insert(*id, write);
            if !metaobject.signals.contains_key(id) {
                // Its changes are followed by its id, declared or not.
                for (kind, table) in [(Kind::Subscribe, &mut access.subscribes), (Kind::Emit, &mut access.emits)] {
                    let name = property.name.as_str();
                    let operation = Operation { property: Some(name), ..Operation::member(kind, name) };
                    table.insert(*id, compiler.verdict(&operation, &value, &[]));
                }
            }
        }
        access
    }
}

impl Compiler<'_> {
    fn verdict(&self, operation: &Operation<'_>, declared: &Signature, names: &[&str]) -> Verdict {
        let judgement = self.policy.judge(&self.role, self.scope, &self.service, operation);
        let always_denied = judgement.denies.iter().find(|ground| ground.conditions.is_empty());
        if let Some(deny) = always_denied {
            return Verdict::Deny(self.refusal(Code::Denied, &operation.text(), Some(deny.rule.id.clone())));
        }
        if judgement.allows.is_empty() {
            let code = operation.default_code(self.scope);
            return Verdict::Deny(self.refusal(code, &operation.text(), None));
        }
        if needs_arguments(&judgement) {
            let who = (&self.role, &self.shown);
            return Verdict::Conditional(Box::new(Checker::new(&judgement, declared, names, who, operation.text())));
        }
        let unconditional = judgement.allows.iter().filter(|ground| ground.conditions.is_empty());
        Verdict::Allow(unconditional.filter_map(|ground| ground.rule.rate).collect())
    }

    fn hidden_code(&self) -> Code {
        if self.policy.has_role(&self.role) { Code::HiddenService } else { Code::UnknownRole }
    }

    fn refusal(&self, code: Code, member: &str, rule: Option<crate::RuleId>) -> Arc<Refusal> {
        let (role, service) = (self.role.to_string(), self.shown.to_string());
        Arc::new(Refusal { code, rule, role, service, member: member.to_owned(), detail: None })
    }
}

/// Whether some allow regardless, and neither a denial nor a rate depends on arguments.
fn needs_arguments(judgement: &Judgement<'_>) -> bool {
    let free = judgement.allows.iter().any(|ground| ground.conditions.is_empty());
    let limited = judgement.allows.iter().any(|ground| !ground.conditions.is_empty() && ground.rule.rate.is_some());
    !judgement.denies.is_empty() || !free || limited
}

/// From the documentation, or else from the annotation of the tuple.
fn parameter_names(method: &MetaMethod) -> Cow<'_, [&str]> {
    if method.parameters.is_empty() {
        return method.parameters_signature.field_names().unwrap_or_default().into();
    }
    method.parameters.iter().map(|parameter| parameter.name.as_str()).collect::<Vec<_>>().into()
}

impl<'a> Operation<'a> {
    const fn member(kind: Kind, name: &'a str) -> Self {
        Self { kind, name, signature: None, property: None }
    }

    const fn service(kind: Kind) -> Self {
        Self::member(kind, "")
    }
}
