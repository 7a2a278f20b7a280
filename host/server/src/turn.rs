//! `/turn` and `/api/turn`: the `RTCConfiguration` for a page (Selkies; `/turn` is the older path).

use std::sync::Arc;

use poem::{
    Endpoint, Request, Response,
    http::{StatusCode, header},
};

use crate::hub::Hub;

/// The header in which a proxy that knows the user names him.
const USER_HEADER: &str = "x-auth-user";
/// Longest name of a user, in bytes.
const MAX_USER: usize = 256;

/// Answers 200 with JSON; 409 while WebRTC is not in use; 503 while there is no answer yet; 404 when there will be none.
#[derive(Clone)]
pub(crate) struct Turn {
    pub(crate) hub: Arc<Hub>,
}

impl Endpoint for Turn {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let refuse = |status, text: &'static str| {
            Response::builder().status(status).header(header::CACHE_CONTROL, "no-store").body(text)
        };
        let Some(rtc) = self.hub.rtc().filter(|rtc| rtc.in_use()) else {
            return Ok(refuse(
                StatusCode::CONFLICT,
                "SV023 WebRTC is not in use; the stream travels by WebSocket.\n",
            ));
        };
        if !rtc.has_sources() {
            return Ok(refuse(StatusCode::NOT_FOUND, "SV024 no STUN or TURN server is configured.\n"));
        }
        let user = match request.headers().get(USER_HEADER).map(|value| value.to_str()) {
            None => "",
            Some(Ok(user)) if (1..=MAX_USER).contains(&user.len()) => user,
            // As Selkies answers to a header that is there and empty.
            Some(_) => {
                return Ok(refuse(StatusCode::UNAUTHORIZED, "SV025 x-auth-user names nobody.\n"));
            }
        };
        Ok(match rtc.for_user(user).await {
            Some(json) => Response::builder()
                .content_type("application/json")
                // Credentials of one user.
                .header(header::CACHE_CONTROL, "no-store")
                .body(json.to_string()),
            None => {
                let mut response = refuse(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "SV026 no source of ICE servers has answered yet.\n",
                );
                response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
                response
            }
        })
    }
}
