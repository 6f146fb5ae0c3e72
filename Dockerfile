# Baton in an image: built with Rust, run without it and without rights.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked -p baton --features production && cp target/release/baton /usr/local/bin/baton

FROM debian:bookworm-slim
# librdkafka looks for the certificates that the system trusts.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --home-dir /var/lib/baton --create-home --shell /usr/sbin/nologin baton
COPY --from=build /usr/local/bin/baton /usr/local/bin/baton
COPY config /etc/baton
USER 10001
WORKDIR /var/lib/baton
ENV BATON_CONFIG=/etc/baton BATON_DATA=/var/lib/baton
VOLUME /var/lib/baton
# SIGTERM ends softly: what is under way is finished.
STOPSIGNAL SIGTERM
ENTRYPOINT ["baton"]
CMD ["run"]
