//! Fetching the keys of JWTs from their issuer (OpenID Connect Discovery): at the start, at an interval, and when a token names a
//! key that is not there.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use keyway_auth::{AuthConfig, Issuer, IssuerKeys, Jwks};
use reqwest::{Client, redirect};
use serde::Deserialize;
use tokio::{sync::Notify, task::AbortHandle};

use crate::tls;

/// Follows the issuer of a configuration, if there is one; a reload that changes nothing of it leaves the keys where they are.
#[derive(Debug, Default)]
pub(super) struct Following(Option<Followed>);

#[derive(Debug)]
struct Followed {
    issuer: Issuer,
    keys: IssuerKeys,
    task: AbortHandle,
}

/// What is read of an issuer's description.
#[derive(Deserialize)]
struct Description {
    issuer: String,
    jwks_uri: String,
}

impl Following {
    /// The configuration with the keys of its issuer. Needs a tokio runtime.
    pub(super) fn keys_for(&mut self, auth: AuthConfig) -> AuthConfig {
        let Some(issuer) = auth.issuer().cloned() else {
            self.0 = None;
            return auth;
        };
        match &self.0 {
            Some(followed) if followed.issuer == issuer => {}
            _ => self.0 = Some(Followed::new(issuer)),
        }
        match &self.0 {
            Some(followed) => auth.with_issuer_keys(followed.keys.clone()),
            None => auth,
        }
    }
}

impl Followed {
    fn new(issuer: Issuer) -> Self {
        let wanted = Arc::new(Notify::new());
        let wake = wanted.clone();
        let keys = IssuerKeys::new(move || wake.notify_one());
        let task = tokio::spawn(follow(issuer.clone(), keys.clone(), wanted)).abort_handle();
        Self { issuer, keys, task }
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow(issuer: Issuer, keys: IssuerKeys, wanted: Arc<Notify>) {
    let mut pause = FIRST_PAUSE;
    let mut asked: Option<Instant> = None;
    loop {
        // Whoever asked until now is answered by what is fetched now.
        tokio::select! {
            biased;
            () = wanted.notified() => {}
            () = std::future::ready(()) => {}
        }
        match fetch(&issuer).await {
            Ok(fetched) => {
                keys.set(fetched);
                tracing::info!(issuer = %issuer.url, "the keys of the issuer were fetched");
                pause = FIRST_PAUSE;
            }
            Err(error) => {
                tracing::warn!(
                    issuer = %issuer.url,
                    "the keys of the issuer cannot be fetched, trying again in {}: {error:#}",
                    humantime::format_duration(pause)
                );
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                continue;
            }
        }
        // Strangers invent keys; the issuer hears of that once a minute at most.
        let asking = async {
            if let Some(asked) = asked {
                tokio::time::sleep(BETWEEN_QUESTIONS.saturating_sub(asked.elapsed())).await;
            }
            wanted.notified().await;
        };
        tokio::select! {
            () = tokio::time::sleep(issuer.refresh) => {}
            () = asking => asked = Some(Instant::now()),
        }
    }
}

/// The issuer's keys of this moment.
async fn fetch(issuer: &Issuer) -> anyhow::Result<Jwks> {
    let client = client(issuer)?;
    let url = format!("{}/.well-known/openid-configuration", issuer.url.trim_end_matches('/'));
    let text = get(&client, &url).await?;
    let description: Description =
        serde_json::from_str(&text).with_context(|| format!("{url} is no description of an issuer"))?;
    ensure!(
        description.issuer == issuer.url,
        "{url} is the description of {:?}, and not of {:?}",
        description.issuer,
        issuer.url
    );
    let url = description.jwks_uri;
    ensure!(Issuer::may_ask(&url), "{url:?} is no place for keys: neither https:// nor on this machine");
    Jwks::parse(&get(&client, &url).await?).with_context(|| url)
}

async fn get(client: &Client, url: &str) -> anyhow::Result<String> {
    let mut response = client.get(url).send().await.with_context(|| format!("no answer from {url}"))?;
    ensure!(response.status().is_success(), "{url} answers {}", response.status());
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.with_context(|| format!("half an answer from {url}"))? {
        if body.len() + part.len() > LARGEST {
            bail!("the answer of {url} has more than {LARGEST} bytes");
        }
        body.extend_from_slice(&part);
    }
    String::from_utf8(body).with_context(|| format!("the answer of {url} is no text"))
}

/// For one look: certificates that are replaced count from the next one on.
fn client(issuer: &Issuer) -> anyhow::Result<Client> {
    let builder = Client::builder()
        .use_preconfigured_tls(tls::https(issuer.ca.as_deref())?)
        .timeout(PATIENCE)
        // Whoever is asked is who was meant.
        .redirect(redirect::Policy::none());
    let is_here = issuer.url.starts_with("http:");
    let builder = if is_here { builder.no_proxy() } else { builder };
    builder.build().context("no HTTP client")
}

/// For a whole answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of an answer.
const LARGEST: usize = 1 << 20;
/// After a failure; twice as long after each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Between fetches because of tokens.
const BETWEEN_QUESTIONS: Duration = Duration::from_secs(60);
