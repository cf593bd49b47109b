//! Fronts of whatever kind.

use anyhow::Context;
use keyway_bridge::{Bus, Front, OptIn};
use keyway_config::Bridges;

use super::Boxed;

/// A front that is to start.
pub(super) trait Planned: Send {
    fn start<'s>(self: Box<Self>, opt_in: &'s OptIn, bus: &'s Bus) -> Boxed<'s, anyhow::Result<Box<dyn Serving>>>;
}

/// A front that serves.
pub(super) trait Serving: Send + Sync {
    fn listening(&self) -> Vec<String>;

    /// False if something is different that needs a restart.
    fn reload(&self, bridges: &Bridges) -> anyhow::Result<bool>;

    fn stop(self: Box<Self>) -> Boxed<'static, ()>;
}

/// The options of a front, out of a configuration and the flags that take its place.
pub(super) type OptionsOf<F> = Box<dyn Fn(&Bridges) -> anyhow::Result<<F as Front>::Options> + Send + Sync>;

/// A front that starts with what `options` makes of `bridges`.
pub(super) fn plan<F>(bridges: &Bridges, options: OptionsOf<F>) -> anyhow::Result<Box<dyn Planned>>
where
    F: Front + Sync,
{
    // A mistake is told before anything is opened.
    let first = options(bridges)?;
    Ok(Box::new(Planning::<F> { first, options }))
}

struct Planning<F: Front> {
    first: F::Options,
    options: OptionsOf<F>,
}

struct Running<F: Front> {
    front: F,
    options: OptionsOf<F>,
}

impl<F: Front + Sync> Planned for Planning<F> {
    fn start<'s>(self: Box<Self>, opt_in: &'s OptIn, bus: &'s Bus) -> Boxed<'s, anyhow::Result<Box<dyn Serving>>> {
        Box::pin(async move {
            let front = F::start(opt_in, bus, self.first).await.with_context(|| format!("bridge {}", F::NAME))?;
            let running: Box<dyn Serving> = Box::new(Running { front, options: self.options });
            Ok(running)
        })
    }
}

impl<F: Front + Sync> Serving for Running<F> {
    fn listening(&self) -> Vec<String> {
        self.front.listening()
    }

    fn reload(&self, bridges: &Bridges) -> anyhow::Result<bool> {
        Ok(self.front.reload((self.options)(bridges)?))
    }

    fn stop(self: Box<Self>) -> Boxed<'static, ()> {
        Box::pin(self.front.stop())
    }
}
