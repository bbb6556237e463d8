# docker build --tag kmp-rtmp .
# docker run --rm -p 8005:8005 -p 127.0.0.1:8001:8001 kmp-rtmp

FROM node:24-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN npm run build

# Only the packages that the service needs at run time, in the versions of package-lock.json.
FROM node:24-bookworm-slim AS runtime
WORKDIR /app
COPY package.json package-lock.json LICENSE ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund && npm cache clean --force
COPY --from=build /src/dist/lib dist/lib
COPY --from=build /src/dist/bin dist/bin
COPY assets assets
COPY packaging/container.conf /etc/kmp-rtmp/kmp-rtmp.conf
RUN chmod 755 dist/bin/kmp-rtmp.js && ln -s /app/dist/bin/kmp-rtmp.js /usr/local/bin/kmp-rtmp

# The option keeps Node from opening its debugger on SIGUSR1, also in the moment before the program handles the signal.
ENV NODE_ENV=production NODE_OPTIONS=--disable-sigusr1
USER node
# KMP, and HTTP for status page, API, metrics and health.
EXPOSE 8005 8001
# The program is process 1. SIGTERM ends all streams in order, so give it more time than worker_shutdown_timeout (10 s):
# docker stop --timeout 15
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8001/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["kmp-rtmp"]
CMD ["-c", "/etc/kmp-rtmp/kmp-rtmp.conf"]
