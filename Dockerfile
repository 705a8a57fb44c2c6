# The server, the client and the bundled model, on Debian 12, as an ordinary user.
#
#   docker build -t groupmamba-serve .
#   docker run --rm --read-only --cap-drop ALL -p 8001:8001 -p 8002:8002 groupmamba-serve
#
# BASE: a Debian 12 image; give it with its digest for builds that can be repeated.
ARG BASE=debian:12-slim

FROM ${BASE} AS build
WORKDIR /src
COPY . .
RUN ./dev build groupmamba-server groupmamba-decoder groupmamba-client groupmamba-convert \
 && cmake --install build/release --prefix /opt/groupmamba --strip

FROM ${BASE} AS cpu
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      libgrpc++1.51 libjpeg62-turbo libopencv-imgproc406 libpng16-16 libprotobuf32 \
      libprometheus-cpp-pull1.0 libssl3 libwebp7 \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/groupmamba /opt/groupmamba
COPY models /models
ENV PATH=/opt/groupmamba/bin:/usr/bin:/bin
USER 65532:65532
EXPOSE 8001 8002
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s CMD ["groupmamba-client", "health"]
ENTRYPOINT ["groupmamba-server"]
CMD ["--models", "/models"]
