//! `POST /api/switch`: another mode of streaming.

use std::sync::Arc;

use poem::{Endpoint, IntoResponse, Request, Response, http::StatusCode, web::Json};
use serde_json::{Value, json};

use crate::{auth::same_origin, hub::Hub, modes::StreamMode};

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
        self.hub.switch(mode);
        Ok(Json(json!({ "status": "success", "mode": mode.name() })).into_response())
    }
}

fn refused(status: StatusCode, message: &str) -> Response {
    Json(json!({ "status": "error", "message": message })).with_status(status).into_response()
}
