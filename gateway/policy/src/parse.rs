//! From the file as it is written to a policy that needs no more checks.

use std::{collections::BTreeMap, sync::Arc};

use toml::Spanned;

use crate::{
    Glob, Policy, PolicyError, PolicySource, ProblemCode, RateId, RuleId,
    problem::{Problems, position},
    rate::{Rate, RateLimit},
    rule::{Rule, Scope},
    selector::{Effect, Selector},
    source::{RoleSource, RuleSource},
    when::When,
};

pub(crate) fn parse(file: &str, text: &str) -> Result<Policy, PolicyError> {
    match toml::from_str::<PolicySource>(text) {
        Ok(source) => check(&source, file, text),
        Err(error) => {
            let mut problems = Problems::new(text);
            problems.add(ProblemCode::Syntax, error.span().unwrap_or(0..0), error.message());
            problems.finish(file)?;
            Ok(Policy::default())
        }
    }
}

pub(crate) fn check(source: &PolicySource, file: &str, text: &str) -> Result<Policy, PolicyError> {
    let mut problems = Problems::new(text);
    let parents = roles(&source.roles, &mut problems);
    let mut reader = RuleReader { file: file.into(), text, rates: Vec::new(), problems };
    let mut rules = vec![Rule::of_admin()];
    let mut owners: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for rule in &source.rules {
        let role = &rule.get_ref().role;
        for name in &role.get_ref().0 {
            if parents.contains_key(name.as_str()) {
                owners.entry(name).or_default().push(rules.len());
            } else {
                let reason = match name.as_str() {
                    ADMIN | NONE => format!("{name:?} is built in and has no rules; inherit it in a role of your own"),
                    _ => format!("role {name:?} is not defined; add `[[role]]` with `name = {name:?}`"),
                };
                reader.problems.add(ProblemCode::UnknownRole, role.span(), reason);
            }
        }
        if role.get_ref().0.is_empty() {
            reader.problems.add(ProblemCode::Empty, role.span(), "the rule is for no role");
        }
        rules.extend(reader.read(rule));
    }
    reader.problems.finish(file)?;
    let mut roles = BTreeMap::from([(ADMIN.to_owned(), vec![0]), (NONE.to_owned(), Vec::new())]);
    for name in parents.keys() {
        let mut of_role = Vec::new();
        inherited(name, &parents, &owners, &mut Vec::new(), &mut of_role);
        roles.insert((*name).to_owned(), of_role);
    }
    Ok(Policy::of(roles, rules, reader.rates))
}

/// Who inherits whom, without what is wrong.
fn roles<'s>(sources: &'s [RoleSource], problems: &mut Problems<'_>) -> BTreeMap<&'s str, Vec<&'s str>> {
    let mut parents: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for role in sources {
        let name = role.name.get_ref().as_str();
        let reason = match name {
            "" => "a role has a name".to_owned(),
            ADMIN | NONE => format!("role {name:?} is built in"),
            _ if parents.contains_key(name) => format!("role {name:?} is defined already"),
            _ => {
                parents.insert(name, role.inherits.iter().map(|parent| parent.get_ref().as_str()).collect());
                continue;
            }
        };
        problems.add(ProblemCode::DuplicateRole, role.name.span(), reason);
    }
    for role in sources {
        for parent in &role.inherits {
            let (name, parent_name) = (role.name.get_ref(), parent.get_ref().as_str());
            if !parents.contains_key(parent_name) && ![ADMIN, NONE].contains(&parent_name) {
                let reason = format!("role {parent_name:?} is not defined");
                problems.add(ProblemCode::UnknownRole, parent.span(), reason);
            } else if reaches(parent_name, name, &parents) {
                let reason = format!("role {name:?} would inherit itself by {parent_name:?}");
                problems.add(ProblemCode::Cycle, parent.span(), reason);
            }
        }
    }
    parents
}

/// Whether one role inherits another, or is it.
fn reaches<'s>(from: &'s str, to: &str, parents: &BTreeMap<&'s str, Vec<&'s str>>) -> bool {
    let mut waiting = vec![from];
    let mut seen = Vec::new();
    while let Some(name) = waiting.pop() {
        if name == to {
            return true;
        }
        if !seen.contains(&name) {
            seen.push(name);
            waiting.extend(parents.get(name).into_iter().flatten());
        }
    }
    false
}

/// Own rules first, then those of the parents.
fn inherited<'s>(
    name: &'s str,
    parents: &BTreeMap<&'s str, Vec<&'s str>>,
    owners: &BTreeMap<&str, Vec<usize>>,
    seen: &mut Vec<&'s str>,
    rules: &mut Vec<usize>,
) {
    let mut waiting = vec![name];
    while let Some(name) = waiting.pop() {
        if seen.contains(&name) {
            continue;
        }
        seen.push(name);
        let own = if name == ADMIN { &[0][..] } else { owners.get(name).map_or(&[][..], Vec::as_slice) };
        for rule in own {
            if !rules.contains(rule) {
                rules.push(*rule);
            }
        }
        waiting.extend(parents.get(name).into_iter().flatten().rev());
    }
}

struct RuleReader<'t> {
    file: Arc<str>,
    text: &'t str,
    rates: Vec<RateLimit>,
    problems: Problems<'t>,
}

impl RuleReader<'_> {
    /// The rule, if there is nothing wrong with what it is about.
    fn read(&mut self, source: &Spanned<RuleSource>) -> Option<Rule> {
        let rule = source.get_ref();
        let (line, _) = position(self.text, source.span().start);
        let id = RuleId { file: Arc::clone(&self.file), line, name: rule.name.as_deref().map(Into::into) };
        let (scope, pattern) = match rule.service.get_ref().strip_suffix(OBJECTS) {
            Some(service) => (Scope::Objects, service),
            None => (Scope::Service, rule.service.get_ref().as_str()),
        };
        let service = self.problems.note(ProblemCode::Glob, rule.service.span(), Glob::parse(pattern));
        let allow = self.selectors(&rule.allow, Effect::Allow);
        let deny = self.selectors(&rule.deny, Effect::Deny);
        let objects = self.objects(rule, scope, &deny);
        if rule.allow.is_empty() && rule.deny.is_empty() && rule.objects.is_none() {
            let reason = "the rule says nothing; add `allow`, `deny` or `objects`";
            self.problems.add(ProblemCode::Empty, rule.service.span(), reason);
        }
        let service = service?;
        let when = self.conditions(rule, &service, allow.iter().chain(&deny));
        let rate = self.rate(rule, &id);
        Some(Rule { id, scope, service, allow, deny, objects, when, rate, everything: false })
    }

    fn selectors(&mut self, texts: &[Spanned<String>], effect: Effect) -> Vec<Selector> {
        let read = |text: &Spanned<String>| {
            self.problems.note(ProblemCode::Member, text.span(), Selector::parse(text.get_ref(), effect))
        };
        texts.iter().filter_map(read).collect()
    }

    fn objects(&mut self, rule: &RuleSource, scope: Scope, deny: &[Selector]) -> Option<Effect> {
        let written = rule.objects.as_ref().and_then(|objects| {
            let reason = match objects.get_ref().as_str() {
                _ if scope == Scope::Objects => "the rule is about objects already; use `allow` and `deny`",
                _ if rule.when.is_some() => "`when` does not limit objects; open them in a rule of their own",
                "allow" => return Some(Effect::Allow),
                "deny" => return Some(Effect::Deny),
                _ => "`objects` is \"allow\" or \"deny\"",
            };
            self.problems.add(ProblemCode::Value, objects.span(), reason);
            None
        });
        // Who may use nothing of a service, may use none of its objects.
        let closed = rule.when.is_none() && deny.iter().any(Selector::is_everything);
        if closed { Some(Effect::Deny) } else { written }
    }

    fn conditions<'s>(
        &mut self,
        rule: &RuleSource,
        service: &Glob,
        mut members: impl Iterator<Item = &'s Selector>,
    ) -> Vec<When> {
        let Some(texts) = &rule.when else {
            return Vec::new();
        };
        let span = texts.span();
        if !rule.allow.is_empty() && !rule.deny.is_empty() {
            let reason = "a rule with `when` has either `allow` or `deny`; write two rules";
            self.problems.add(ProblemCode::Condition, span.clone(), reason);
        }
        if !members.all(Selector::has_arguments) {
            let reason = "`when` is for methods and `write:` only; put other members into a rule of their own";
            self.problems.add(ProblemCode::Condition, span.clone(), reason);
        }
        let mut conditions = Vec::new();
        for text in &texts.get_ref().0 {
            let Some(when) = self.problems.note(ProblemCode::Condition, span.clone(), When::parse(text)) else {
                continue;
            };
            let known = |wanted: &String| rule.allow.iter().chain(&rule.deny).any(|member| member.get_ref() == wanted);
            if !when.fits(service) {
                let reason = format!("`{text}` is about another service than the rule");
                self.problems.add(ProblemCode::Condition, span.clone(), reason);
            } else if !when.member_text.as_ref().is_none_or(known) {
                let reason =
                    format!("`{text}`: the member before the colon is none of the rule's, as they are written");
                self.problems.add(ProblemCode::Condition, span.clone(), reason);
            }
            conditions.push(when);
        }
        if conditions.is_empty() && texts.get_ref().0.is_empty() {
            self.problems.add(ProblemCode::Condition, span, "`when` is empty");
        }
        conditions
    }

    fn rate(&mut self, rule: &RuleSource, id: &RuleId) -> Option<RateId> {
        let Some(text) = &rule.rate else {
            if let Some(burst) = &rule.burst {
                self.problems.add(ProblemCode::Rate, burst.span(), "`burst` without `rate`");
            }
            return None;
        };
        if rule.allow.is_empty() {
            self.problems.add(ProblemCode::Rate, text.span(), "`rate` limits what a rule allows; it has no `allow`");
        }
        let rate = self.problems.note(ProblemCode::Rate, text.span(), Rate::parse(text.get_ref()))?;
        let burst = match &rule.burst {
            None => rate.count,
            Some(burst) => {
                let checked = u32::try_from(*burst.get_ref()).ok().filter(|burst| *burst > 0);
                let checked = checked.ok_or("`burst` is a count of at least 1");
                self.problems.note(ProblemCode::Rate, burst.span(), checked)?
            }
        };
        let number = RateId(u32::try_from(self.rates.len()).ok()?);
        self.rates.push(RateLimit { rate, burst: burst.into(), rule: id.clone() });
        Some(number)
    }
}

pub(crate) const ADMIN: &str = "admin";
pub(crate) const NONE: &str = "none";
/// What the name of a service ends with in rules about the objects it returns.
pub(crate) const OBJECTS: &str = ".object";
