# syntax=docker/dockerfile:1.7
FROM rust:1.91.1-slim-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock build.rs ./
COPY src ./src
COPY rules ./rules
COPY docs ./docs
COPY examples ./examples
COPY benches ./benches
COPY tests ./tests
# docker build --build-arg REVISION=$(git rev-parse --short=12 HEAD) .
ARG REVISION=unknown
ENV SIGNALBOX_REVISION=${REVISION}
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin signalbox && cp target/release/signalbox /signalbox && mkdir /state

# Distroless images have no version tags: pin it by digest where your builds must be the same.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /signalbox /usr/local/bin/signalbox
# A volume that is mounted here begins with its owner.
COPY --from=build --chown=65532:65532 /state /var/lib/signalbox
COPY rules /etc/signalbox/rules
WORKDIR /etc/signalbox
ENV SIGNALBOX_LISTEN_DEFAULT=0.0.0.0:9469
EXPOSE 9469
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["/usr/local/bin/signalbox", "health"]
ENTRYPOINT ["/usr/local/bin/signalbox"]
CMD ["run"]
