{{/* What the configuration is made of, and what stands in it: for `multus node watch`, and for `multus install` where it takes over. */}}
{{- define "multus.configuration" -}}
- --multus-log-to-stderr={{ .Values.logToStderr }}
{{- with .Values.multusMasterCNIFileName }}
- {{ printf "--multus-master-cni-file-name=%s" . | quote }}
{{- end }}
{{- with .Values.multusAutoconfigDir }}
- {{ printf "--multus-autoconfig-dir=%s" . | quote }}
{{- end }}
{{- if ne .Values.multusConfFile "auto" }}
- {{ printf "--multus-conf-file=%s" .Values.multusConfFile | quote }}
{{- end }}
{{- if .Values.renameConfFile }}
- --rename-conf-file
{{- end }}
{{- if .Values.namespaceIsolation }}
- --namespace-isolation
{{- end }}
{{- with .Values.globalNamespaces }}
- {{ printf "--global-namespaces=%s" . | quote }}
{{- end }}
{{- with .Values.cniVersion }}
- {{ printf "--cni-version=%s" . | quote }}
{{- end }}
{{- if .Values.forceCNIVersion }}
- --force-cni-version
{{- end }}
{{- if .Values.overrideNetworkName }}
- --override-network-name
{{- end }}
{{- with .Values.readinessIndicatorFile }}
- {{ printf "--readiness-indicator-file=%s" . | quote }}
{{- end }}
{{- with .Values.additionalBinDir }}
- {{ printf "--additional-bin-dir=%s" . | quote }}
{{- end }}
{{- range $key, $value := .Values.confKeys }}
- {{ printf "--multus-conf-key=%s=%s" $key (toJson $value) | quote }}
{{- end }}
{{- with .Values.logLevel }}
- {{ printf "--multus-log-level=%s" . | quote }}
{{- end }}
{{- end }}
