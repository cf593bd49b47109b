//! Talk to robots and meters: sessions, services, proxies, signals and properties over QiMessaging.
