# The server, the client and the bundled model, and nothing else: no shell, no package
# manager, no compiler. `./dev image` builds it, with or without a Docker engine.
#
#   docker build --target cpu -t groupmamba-serve .
#   docker run --rm --read-only --cap-drop ALL -p 8001:8001 -p 8002:8002 groupmamba-serve
#
# BASE: Debian 12; give it with its digest for builds that can be repeated. Of it only the
# libraries that are loaded get into the image, in the versions of deploy/image/run.lock; compiler,
# headers and tools stay behind, but decide the programs' bits, so build.lock pins them, too.
# CUDA_BASE: Debian 12 with nvcc of CUDA 13.0, for the target cuda; without a Docker engine,
# `./dev image cuda` makes it of this machine's toolkit.
# SOURCE_DATE_EPOCH: the time of every file, in Unix seconds.
ARG BASE=debian:12-slim
ARG CUDA_BASE=${BASE}

FROM ${BASE} AS build-cpu
WORKDIR /src
COPY . .
RUN apt-get update \
 && apt-get install -y --no-install-recommends $(awk '$1 == "build" {print $2}' cmake/packages.txt) \
 && rm -rf /var/lib/apt/lists/*
# Our own kernels serve on processors. LibTorch is for GPUs, training and comparison.
RUN cmake --preset release -DGROUPMAMBA_TORCH=OFF \
 && ninja -C build/release described \
 && cmake --install build/release --prefix /opt/groupmamba --strip
ARG SOURCE_DATE_EPOCH=0
RUN python3 deploy/image/assemble.py --lock deploy/image/run.lock \
      --build-lock deploy/image/build.lock --epoch ${SOURCE_DATE_EPOCH} \
      /opt/groupmamba models /image

FROM ${CUDA_BASE} AS build-cuda
WORKDIR /src
COPY . .
RUN ./dev build-cuda described \
 && cmake --install build/cuda --prefix /opt/groupmamba --strip --component Unspecified
ARG SOURCE_DATE_EPOCH=0
RUN python3 deploy/image/assemble.py --lock deploy/image/run.lock \
      --build-lock deploy/image/build.lock --wheels cmake/deps.lock --wheels cmake/cuda.lock \
      --epoch ${SOURCE_DATE_EPOCH} /opt/groupmamba models /image

FROM scratch AS cuda
COPY --from=build-cuda /image /
ENV PATH=/opt/groupmamba/bin NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 65532:65532
EXPOSE 8001 8002
LABEL org.opencontainers.image.title="groupmamba-serve" \
      org.opencontainers.image.description="Image classification over gRPC with GroupMamba, on GPUs" \
      org.opencontainers.image.licenses="Apache-2.0"
HEALTHCHECK --interval=10s --timeout=3s --start-period=120s CMD ["groupmamba-client", "health"]
ENTRYPOINT ["groupmamba-server"]
CMD ["--models", "/models"]

# The last stage is what a build without --target makes.
FROM scratch AS cpu
COPY --from=build-cpu /image /
ENV PATH=/opt/groupmamba/bin
USER 65532:65532
EXPOSE 8001 8002
LABEL org.opencontainers.image.title="groupmamba-serve" \
      org.opencontainers.image.description="Image classification over gRPC with GroupMamba, on processors" \
      org.opencontainers.image.licenses="Apache-2.0"
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s CMD ["groupmamba-client", "health"]
ENTRYPOINT ["groupmamba-server"]
CMD ["--models", "/models"]
