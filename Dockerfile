# Two images: `settle` holds order, stock, user-points, message-centre and fault-agent; `edge` is what compose.yaml needs around them.

FROM swift:6.3-bookworm AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends libhiredis-dev libpq-dev librabbitmq-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src

# The packages that Settle stands on, compiled in a layer of their own, which only the manifest and the C shims change.
# The manifest names folders and resources that are not here yet: empty files stand for them. SettleHTTP is the target
# that everything from outside hangs on.
COPY Package.swift Package.resolve[d] ./
COPY Shared/CHiredis Shared/CHiredis
COPY Shared/CLibpq Shared/CLibpq
COPY Shared/CRabbitMQ Shared/CRabbitMQ
RUN swift package dump-package | sed -nE 's|^ *"path" : "([^"]*)",?$|\1|p' | while read -r path; do \
        case "$path" in \
            */*) folder="$path"; [ -d "$folder" ] || { mkdir -p "$folder" && touch "$folder/Stub.swift"; } ;; \
            *) touch "$folder/$path" ;; \
        esac; \
    done \
 && swift build -c release --target SettleHTTP

COPY Shared Shared
COPY Services Services
COPY sql sql
# One copy of the Swift runtime beside the executables, which look for it there, is a third of three linked in.
RUN find Shared Services sql -name Stub.swift -delete \
 && swift build -c release \
 && mkdir /settle && cd "$(swift build -c release --show-bin-path)" \
 && cp order stock user-points message-centre fault-agent settle /settle \
 && ldd order stock user-points message-centre fault-agent settle | sed -nE 's|.* => (/.*/swift/linux/[^ ]*) .*|\1|p' | sort -u | xargs cp -t /settle \
 && strip --strip-unneeded /settle/*


FROM debian:bookworm-slim AS settle
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libhiredis0.14 libpq5 librabbitmq4 libstdc++6 zlib1g \
 && apt-get clean && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin settle
COPY --from=build /settle /opt/settle
ENV PATH=/opt/settle:$PATH HTTP_HOST=0.0.0.0
USER 10001:10001
# The command is one of order, stock, user-points, message-centre, fault-agent and settle.
CMD ["order", "--help"]


# The door to the services, however many of each there are, and the scripts that make the secrets and the demo data.
FROM debian:bookworm-slim AS edge
RUN apt-get update \
 && apt-get install -y --no-install-recommends curl haproxy \
 && apt-get clean && rm -rf /var/lib/apt/lists/*
COPY docker/haproxy.cfg /etc/haproxy/haproxy.cfg
COPY docker/secrets docker/seed /opt/seed/docker/
COPY scripts/lib /opt/seed/scripts/lib
USER haproxy
# Soft stop: connections in use are finished, for at most as long as haproxy.cfg says.
STOPSIGNAL SIGUSR1
CMD ["haproxy", "-db", "-f", "/etc/haproxy/haproxy.cfg"]
