//! `POST /api/switch`: another mode of streaming.

use std::{sync::Arc, time::Instant};

use poem::{
    Endpoint, IntoResponse, Request, Response,
    http::{StatusCode, header},
    web::Json,
};
use selkies_session::wire::RoleName;
use serde_json::{Value, json};

use crate::{auth::same_origin, hub::Hub, modes::StreamMode, socket::admission};

/// Largest body, bytes.
const MAX_BODY: usize = 4096;

/// Takes `{"mode":"websockets"|"webrtc"}` (Selkies 2.1.0).
pub(crate) struct Switch {
    pub(crate) hub: Arc<Hub>,
}

impl Endpoint for Switch {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        if !same_origin(request.headers()) {
            return Ok(refused(StatusCode::FORBIDDEN, "SV020 the page that asks belongs to another site"));
        }
        // A viewer's page asks by the address that it was given, as on its socket.
        if admission(request.uri().query().unwrap_or_default()).role == RoleName::Viewer {
            return Ok(refused(
                StatusCode::FORBIDDEN,
                "SV029 viewers do not switch the mode; ask its controller",
            ));
        }
        if !self.hub.modes().dual() {
            return Ok(refused(StatusCode::FORBIDDEN, "Dual streaming mode disabled"));
        }
        let body = request.take_body().into_bytes_limit(MAX_BODY).await;
        let body = body.ok().and_then(|body| serde_json::from_slice::<Value>(&body).ok());
        let Some(name) = body.as_ref().and_then(|body| body.get("mode")?.as_str()) else {
            return Ok(refused(
                StatusCode::BAD_REQUEST,
                r#"The body must be {"mode":"websockets"} or {"mode":"webrtc"}"#,
            ));
        };
        let mode = StreamMode::from_name(name).filter(|mode| self.hub.available_modes().contains(mode));
        let Some(mode) = mode else {
            let name: String = name.chars().take(32).collect();
            return Ok(refused(StatusCode::BAD_REQUEST, &format!("Service {name} not found")));
        };
        // Nobody is disconnected, but everybody looks again: one who asks all the time must not keep the others from working.
        if !self.hub.modes().may_switch(Instant::now()) {
            let message = "SV028 the mode was switched too often; wait a few seconds and ask again";
            let mut response = refused(StatusCode::TOO_MANY_REQUESTS, message);
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("10"));
            return Ok(response);
        }
        self.hub.switch(mode);
        Ok(Json(json!({ "status": "success", "mode": mode.name() })).into_response())
    }
}

fn refused(status: StatusCode, message: &str) -> Response {
    Json(json!({ "status": "error", "message": message })).with_status(status).into_response()
}
