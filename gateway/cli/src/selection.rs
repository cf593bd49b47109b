//! Finding what patterns such as `AL*.position*` mean.

use keyway::{MetaObject, Proxy, ServiceInfo, Session};
use keyway_history::audit::Glob;

use crate::{
    exit::Usage,
    member::{Member, is_hidden},
};

/// Which kind of member is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Method,
    Property,
    /// Signals and the changes of properties.
    Signal,
}

impl Kind {
    fn noun(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::Property => "property",
            Self::Signal => "signal or property",
        }
    }

    /// The members of this kind: id, name, full name.
    fn members(self, metaobject: &MetaObject) -> Vec<(u32, String, String)> {
        match self {
            Self::Method => {
                let methods = metaobject.methods.values();
                methods.map(|m| (m.uid, m.name.clone(), format!("{}::{}", m.name, m.parameters_signature))).collect()
            }
            Self::Property => metaobject.properties.values().map(|p| (p.uid, p.name.clone(), p.name.clone())).collect(),
            Self::Signal => metaobject.signals.values().map(|s| (s.uid, s.name.clone(), s.name.clone())).collect(),
        }
    }
}

/// A member that was found.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) service: String,
    pub(crate) proxy: Proxy,
    pub(crate) id: u32,
    pub(crate) name: String,
}

impl Found {
    /// `Service.member`.
    pub(crate) fn title(&self) -> String {
        format!("{}.{}", self.service, self.name)
    }
}

/// Id of the first member that not every object has (spec 6.2).
pub(crate) const FIRST_OWN: u32 = 100;

/// Whether text is a pattern, not a name.
pub(crate) fn is_pattern(text: &str) -> bool {
    text.contains('*')
}

/// Whether `text` is meant: hidden names only when asked for, or when named in full.
pub(crate) fn is_meant(pattern: &str, text: &str, hidden: bool) -> bool {
    pattern == text || (Glob::from(pattern).matches(text) && (hidden || !is_hidden(text)))
}

/// The services that any of the patterns means, by id. A name that is not there is an error; a pattern may mean nothing.
pub(crate) async fn services(session: &Session, patterns: &[String], hidden: bool) -> anyhow::Result<Vec<ServiceInfo>> {
    let mut all = session.services().await?;
    all.sort_unstable_by_key(|info| info.service_id);
    for pattern in patterns.iter().filter(|pattern| !is_pattern(pattern)) {
        if !all.iter().any(|info| info.name.to_string_lossy() == pattern.as_str()) {
            anyhow::bail!("there is no service {pattern:?}; `keyway info` lists those that are there");
        }
    }
    all.retain(|info| {
        let name = info.name.to_string_lossy();
        let any = patterns.is_empty() && (hidden || !is_hidden(&name));
        any || patterns.iter().any(|pattern| is_meant(pattern, &name, hidden))
    });
    Ok(all)
}

/// The members of an object that a pattern means; those every object has count as hidden.
pub(crate) fn members_of(service: &str, proxy: &Proxy, pattern: &str, kind: Kind, hidden: bool) -> Vec<Found> {
    let glob = Glob::from(pattern);
    let meant = |id: u32, name: &str, full: &str| {
        let shown = hidden || (id >= FIRST_OWN && !is_hidden(name));
        pattern == name || pattern == full || (shown && (glob.matches(name) || glob.matches(full)))
    };
    let members = kind.members(&proxy.metaobject()).into_iter();
    let found = members.filter(|(id, name, full)| meant(*id, name, full));
    found.map(|(id, name, _)| Found { service: service.to_owned(), proxy: proxy.clone(), id, name }).collect()
}

/// Every member that `Service.member` means; at least one, or an error that says what is not there.
pub(crate) async fn members(
    session: &Session,
    wanted: &[Member],
    kind: Kind,
    hidden: bool,
) -> anyhow::Result<Vec<Found>> {
    let mut found = Vec::new();
    for Member { service, name } in wanted {
        let before = found.len();
        for info in services(session, std::slice::from_ref(service), hidden).await? {
            let title = info.name.to_string_lossy().into_owned();
            match session.service(&title).await {
                Ok(proxy) => found.extend(members_of(&title, &proxy, name, kind, hidden)),
                // One that cannot be reached matters only if it was named.
                Err(error) if is_pattern(service) => eprintln!("keyway: {title} is left out: {error}"),
                Err(error) => return Err(error.into()),
            }
        }
        if found.len() == before {
            let noun = kind.noun();
            let text = format!("{service}.{name} means no {noun}; `keyway info {service}` lists the members");
            return Err(Usage(text).into());
        }
    }
    Ok(found)
}
