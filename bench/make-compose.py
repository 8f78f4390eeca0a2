#!/usr/bin/env python3
"""Writes a Compose file of N services to standard output, for benchmarks: make-compose.py [--plain] N

Services look like those of real files: environment, ports, volumes, a health check, dependencies in groups of
ten. --plain leaves anchors and variables out, for readers that know neither.
"""
import sys


def service(i, plain):
    group = i - i % 10
    common = "" if plain else "    <<: *common\n"
    tag = "1.25" if plain else "${TAG:-1.25}"
    depends = f"    depends_on:\n      s{group}:\n        condition: service_healthy\n" if i != group else ""
    return f"""  s{i}:
{common}    image: registry.example.com/team/app-{i % 50}:{tag}
    command: ["/bin/app", "--serve", "--id={i}"]
    environment:
      APP_ID: {i}
      APP_NAME: service-{i}
      DATABASE_URL: postgres://user:secret@s{group}:5432/app
      LOG_LEVEL: info
    ports:
      - "{10000 + i % 20000}:8080"
      - "127.0.0.1:{20000 + i % 40000}:9090/udp"
    volumes:
      - data{i % 20}:/var/lib/app
      - ./config/{i}:/etc/app:ro
    networks:
      - front
      - back
    healthcheck:
      test: ["CMD", "curl", "-f", "http://localhost:8080/health"]
      interval: 30s
      timeout: 5s
      retries: 3
    labels:
      com.example.team: team-{i % 7}
      com.example.id: "{i}"
{depends}"""


def main():
    plain = "--plain" in sys.argv
    count = int(sys.argv[-1])
    if not plain:
        print("x-common: &common\n  restart: unless-stopped\n  logging:\n    driver: json-file\n"
              "    options: {max-size: 10m, max-file: \"3\"}\n")
    print("services:")
    for i in range(count):
        print(service(i, plain), end="")
    print("networks:\n  front:\n  back:\nvolumes:")
    for i in range(20):
        print(f"  data{i}:")


main()
