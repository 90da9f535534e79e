//! Letters on their way: a real mail server, a real receiver of webhooks, and both of them away.

mod chat;
mod mail;
mod mail_server;
mod parts;
mod receiver;
mod storm;
mod webhook;
