//! Objects as values: a service that makes objects for its callers, and calls back the objects they bring.
//!
//! `object_passing [URL]` hosts the service `Games` and plays with it over the network.

mod stage;

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use keyway::{IntoObject, Object, Property, Result, Session};
use stage::Stage;

/// Makes a game for everyone who asks.
struct Games;

#[keyway::service]
impl Games {
    /// A new game; it lives until its player lets go of it.
    fn start(&self, player: PlayerProxy, secret: u32) -> Object {
        Game { player, secret, guesses: Property::new(0) }.into_object()
    }
}

/// One game, with its player somewhere else.
struct Game {
    player: PlayerProxy,
    secret: u32,
    guesses: Property<u32>,
}

#[keyway::service(properties(guesses(read_only)))]
impl Game {
    /// Guesses the number. The player is told how it went before the answer comes.
    async fn guess(&self, number: u32) -> Result<bool> {
        self.guesses.set(self.guesses.get() + 1)?;
        let hint = match number.cmp(&self.secret) {
            std::cmp::Ordering::Less => "more",
            std::cmp::Ordering::Equal => "that is it",
            std::cmp::Ordering::Greater => "less",
        };
        self.player.told(number, hint).await?;
        Ok(number == self.secret)
    }
}

impl Drop for Game {
    fn drop(&mut self) {
        println!("host: nobody holds the game any more");
    }
}

/// Whom the game talks to; this object lives in the client. It narrows down where the secret is.
struct Watcher {
    low: AtomicU32,
    high: AtomicU32,
}

#[keyway::service]
impl Watcher {
    fn told(&self, number: u32, hint: &str) {
        println!("client: {number}? {hint}");
        match hint {
            "more" => self.low.store(number + 1, Ordering::Relaxed),
            "less" => self.high.store(number - 1, Ordering::Relaxed),
            _ => {}
        }
    }

    #[qi(skip)]
    fn middle(&self) -> u32 {
        u32::midpoint(self.low.load(Ordering::Relaxed), self.high.load(Ordering::Relaxed))
    }
}

#[keyway::proxy(name = "PlayerProxy")]
trait Player {
    async fn told(&self, number: u32, hint: &str) -> Result<()>;
}

#[keyway::proxy(name = "GameProxy")]
trait GameApi {
    async fn guess(&self, number: u32) -> Result<bool>;
    #[qi(property)]
    async fn guesses(&self) -> Result<u32>;
}

/// Typed proxies are results like any other value, and objects are arguments.
#[keyway::proxy(name = "GamesProxy")]
trait GamesApi {
    async fn start(&self, player: Object, secret: u32) -> Result<GameProxy>;
}

#[tokio::main]
async fn main() -> Result<()> {
    let stage = Stage::open().await?;
    let host = Session::connect(&stage.url).await?;
    host.register("Games", Games).await?;

    let session = Session::connect(&stage.url).await?;
    let games = GamesProxy::from(session.service("Games").await?);
    let watcher = Arc::new(Watcher { low: 1.into(), high: 100.into() });
    let game = games.start(watcher.clone().into_object(), 42).await?;
    while !game.guess(watcher.middle()).await? {}
    println!("client: found after {} guesses", game.guesses().await?);

    drop(game);
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    host.close().await;
    Ok(())
}
